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
use postern_ids::{Ended, Refusal};
use postern_policy::{Permit, decide};
use postern_store::journal::Admitted;
use postern_tunnel_io::{Cut, Lane};
use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// An admitted session whose requests come over lanes of their own. Dropped, it has finished.
#[derive(Debug)]
pub struct WebSession {
    admitted: Admitted,
    cut: Cut,
    /// Taken by the one end.
    ending: Mutex<Option<Ending>>,
    up: AtomicU64,
    down: AtomicU64,
}

impl Session {
    /// Makes it the session of a browser's requests.
    pub fn into_web(self) -> WebSession {
        let (admitted, ending) = self.into_parts();
        let cut = ending.cut().clone();
        let (up, down) = (AtomicU64::new(0), AtomicU64::new(0));
        WebSession { admitted, cut, ending: Mutex::new(Some(ending)), up, down }
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

    /// Ends it; only the first end counts. The requests in it hear of it by the cut.
    pub fn end(&self, ended: Ended) {
        let Some(ending) = self.lock().take() else { return };
        self.cut.cut(ended);
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
    /// Decides one request of a browser, in memory. A denial is recorded.
    pub fn decide_request(&self, asking: &Asking) -> Result<Permit, Refused> {
        let now = wall_clock();
        let (snapshot, staleness) = self.policies.current();
        decide(&new_request(asking, now), &snapshot, staleness, now).map_err(|deny| self.denied(&deny))
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
