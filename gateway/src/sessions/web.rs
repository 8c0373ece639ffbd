//! The session of a browser's use of one application: admitted once, it opens as many lanes as its requests need, and ends
//! once. The requests inside it are decided each; those that last are watched like sessions of their own.

use super::{
    admit::{Asking, Door, new_request},
    duty::Entry,
    ending::Ending,
    refused::Refused,
    session::Session,
};
use crate::{connectors::Lanes, policies::wall_clock};
use bytes::Bytes;
use http::Method;
use postern_ids::{Ended, Refusal};
use postern_policy::{Fresher, Permit, decide, would_help};
use postern_store::journal::{Admitted, Journal, RequestCount, RequestsMade};
use postern_tunnel_io::{Cut, Lane};
use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// An admitted session whose requests come over lanes of their own. Dropped, it has finished.
pub struct WebSession {
    admitted: Admitted,
    cut: Cut,
    /// Taken by the one end.
    ending: Mutex<Option<Ending>>,
    journal: Journal,
    up: AtomicU64,
    down: AtomicU64,
    requests: Mutex<Requests>,
}

impl fmt::Debug for WebSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSession").field(&self.permit().session()).finish()
    }
}

/// Kinds of requests told apart in one record; a session has one route for each of its hosts.
const KINDS_MAX: usize = 32;

/// What was asked since the last record.
#[derive(Debug, Default)]
struct Requests {
    counts: HashMap<(Arc<str>, Method), u64>,
    /// The bytes at the last record.
    told: (u64, u64),
}

impl Session {
    /// Makes it the session of a browser's requests.
    fn into_web(self, journal: Journal) -> WebSession {
        let (admitted, ending) = self.into_parts();
        let cut = ending.cut().clone();
        let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
        let (ending, requests) = (Mutex::new(Some(ending)), Mutex::default());
        WebSession { admitted, cut, ending, journal, up, down, requests }
    }
}

impl WebSession {
    /// What was allowed when it began.
    pub fn permit(&self) -> &Permit {
        self.admitted.permit()
    }

    /// What ends it.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Whether it goes on.
    pub fn is_live(&self) -> bool {
        self.cut.ended().is_none() && self.lock().is_some()
    }

    /// Opens one more lane to the application.
    pub async fn open_lane(&self, lanes: &Lanes) -> Result<Lane, Refused> {
        let permit = self.permit();
        let decision = permit.decision();
        let carried_by = |connector| {
            if let Some(ending) = &*self.lock() {
                ending.carried_by(connector);
            }
        };
        let opened = tokio::select! {
            biased;
            ended = self.cut.wait() => {
                return Err(Refused::decided(Refusal::Revoked, decision, ended.sentence()));
            }
            opened = lanes.open(permit, Bytes::new(), carried_by) => opened,
        };
        opened.map_err(|failed| {
            let message = failed.detail.map_or(failed.refusal.sentence().into(), Cow::Owned);
            Refused::decided(failed.refusal, decision, message)
        })
    }

    /// Counts bytes that were carried, from the browser (`up`) and to it (`down`).
    pub fn carried(&self, up: u64, down: u64) {
        self.up.fetch_add(up, Ordering::Relaxed);
        self.down.fetch_add(down, Ordering::Relaxed);
    }

    /// Counts a request that was decided.
    pub fn requested(&self, route: &Arc<str>, method: &Method) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = requests.counts.len() >= KINDS_MAX;
        match requests.counts.get_mut(&(Arc::clone(route), method.clone())) {
            Some(count) => *count += 1,
            None if is_full => *requests.counts.entry(("*".into(), Method::GET)).or_default() += 1,
            None => drop(requests.counts.insert((Arc::clone(route), method.clone()), 1)),
        }
    }

    /// Records what was asked since the last time, if anything.
    pub fn tell_requests(&self) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.counts.is_empty() {
            return;
        }
        let total = (self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed));
        let count = |((route, method), count): (&(Arc<str>, Method), &u64)| RequestCount {
            route: (&**route).into(),
            method: method.as_str().into(),
            count: *count,
        };
        let made = RequestsMade {
            session: self.permit().session(),
            counts: requests.counts.iter().map(count).collect(),
            bytes_up: total.0.saturating_sub(requests.told.0),
            bytes_down: total.1.saturating_sub(requests.told.1),
            at: wall_clock(),
        };
        // Without room they stay, to be told with the next.
        if self.journal.requests(made).is_ok() {
            (requests.counts, requests.told) = (HashMap::new(), total);
        }
    }

    /// Ends it; only the first end counts. The requests in it hear of it by the cut.
    pub fn end(&self, ended: Ended) {
        let Some(ending) = self.lock().take() else { return };
        self.cut.cut(ended);
        self.tell_requests();
        ending.end(ended, self.up.load(Ordering::Relaxed), self.down.load(Ordering::Relaxed));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ending>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebSession {
    fn drop(&mut self) {
        self.end(Ended::Finished);
    }
}

/// A request that lasts, in the live table: a revocation finds it, whatever its session rests on.
#[derive(Debug)]
pub struct Watched {
    cut: Cut,
    _entry: Entry,
}

impl Watched {
    /// What ends it.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }
}

impl Door {
    /// Admits the session of a browser's requests.
    pub async fn admit_web(&self, asking: Asking) -> Result<WebSession, Refused> {
        Ok(self.admit(asking, None).await?.into_web(self.journal.clone()))
    }

    /// Decides one request of a browser, in memory. A denial is recorded.
    pub fn decide_request(&self, asking: &Asking) -> Result<Permit, Refused> {
        let now = wall_clock();
        let (snapshot, staleness) = self.policies.current();
        let decided = self.verdicts.decide(&new_request(asking, now), &snapshot, staleness, now);
        decided.map_err(|deny| self.denied(&deny))
    }

    /// Whether a request would be permitted. Nothing comes of asking, and nothing is recorded.
    pub fn would_permit(&self, asking: &Asking) -> bool {
        let now = wall_clock();
        let (snapshot, staleness) = self.policies.current();
        decide(&new_request(asking, now), &snapshot, staleness, now).is_ok()
    }

    /// What a person could prove anew so that this denial would be a permit; none if nothing of that kind helps.
    pub fn would_help(&self, asking: &Asking) -> Option<Fresher> {
        let now = wall_clock();
        let (snapshot, staleness) = self.policies.current();
        would_help(&new_request(asking, now), &snapshot, staleness, now)
    }

    /// Enters a request that lasts into the live table, where it is decided again whenever something changes (D5).
    pub fn watch_request(&self, permit: Permit) -> Result<Watched, Ended> {
        let (cut, principal) = (Cut::new(), permit.principal().id);
        let current = || self.policies.current_for(principal);
        match self.live.enter(permit, cut.clone(), current, wall_clock()) {
            Ok(permit) => {
                let entry = Entry::new(Arc::clone(&self.live), permit.session());
                Ok(Watched { cut, _entry: entry })
            }
            Err(deny) => {
                self.journal.denied(&deny);
                Err(deny.reason().as_ended())
            }
        }
    }
}
