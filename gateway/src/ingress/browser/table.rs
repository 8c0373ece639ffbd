//! The web sessions of this node: one for each sign-in (or token), application, address and set of rules that allow it.

use super::{identity::Kept, pool::Pool};
use crate::{
    lifecycle::Lifecycle,
    sessions::{Refused, WebSession},
};
use postern_ids::{Ended, Refusal, ResourceId, SignInId, TokenId};
use postern_policy::{
    Permit,
    model::{Credential, PrincipalId},
};
use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    convert::Infallible,
    future::Future,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, watch},
    time::{sleep, timeout},
};

/// A session without a request for this long has finished.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// How often a session's requests are recorded, counted.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Requests at once in one session; a browser needs far fewer.
const REQUESTS_MAX: u32 = 1_024;
/// In the place of a number of requests: the session takes no more.
const CLOSED: u32 = u32::MAX;

/// What makes two requests the same session (D1): who, by which proof, where, from where, by which rules, and over which
/// way there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    proof: Proof,
    resource: ResourceId,
    source: Option<IpAddr>,
    rules: u64,
    way: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Proof {
    SignIn(SignInId),
    Token(TokenId),
    Nobody,
}

impl Key {
    pub(super) fn of(permit: &Permit, way: u64) -> Self {
        let proof = match permit.credential() {
            Credential::SignIn(facts) => Proof::SignIn(facts.id),
            Credential::Token(facts) => Proof::Token(facts.id),
            Credential::None => Proof::Nobody,
        };
        // Everybody who is nobody shares one session: there is no end to their addresses.
        let source = (permit.principal().id != PrincipalId::Anonymous).then(|| permit.source());
        let mut rules = DefaultHasher::new();
        permit.determining().for_each(|rule| rule.hash(&mut rules));
        Self { proof, resource: permit.resource().id, source, rules: rules.finish(), way }
    }
}

/// A session and its connections to the application.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) session: Arc<WebSession>,
    pub(super) pool: Pool,
    /// What the application was told last about who asks.
    pub(super) told: Kept,
    /// How many requests are under way, or [`CLOSED`].
    requests: watch::Sender<u32>,
}

/// A request's place in its session.
#[derive(Debug)]
pub(super) struct Place(Arc<Entered>);

impl Place {
    pub(super) fn entered(&self) -> &Arc<Entered> {
        &self.0
    }

    pub(super) fn session(&self) -> &WebSession {
        &self.0.session
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.requests.send_if_modified(|requests| {
            *requests = requests.saturating_sub(u32::from(*requests != CLOSED));
            *requests == 0
        });
    }
}

/// The table. What a principal may have of sessions bounds it.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<HashMap<Key, Cell>>,
    lifecycle: Lifecycle,
}

/// Filled by the first request of a session; the others wait for it.
type Cell = Arc<OnceCell<Arc<Entered>>>;

impl Sessions {
    pub(super) fn new(lifecycle: Lifecycle) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::default(), lifecycle })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Cell>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place in the session of `key`, which `admit` begins where there is none: once, however many requests wait.
    pub(super) async fn enter<F>(self: &Arc<Self>, key: &Key, admit: impl Fn() -> F) -> Result<Place, Refused>
    where
        F: Future<Output = Result<WebSession, Refused>>,
    {
        loop {
            let cell = Arc::clone(self.lock().entry(key.clone()).or_default());
            let entered = cell.get_or_try_init(|| async {
                let session = Arc::new(admit().await?);
                let (pool, requests) = (Pool::default(), watch::Sender::new(0));
                let entered = Arc::new(Entered { session, pool, told: Kept::default(), requests });
                let kept = Arc::clone(self).keep(key.clone(), Arc::clone(&entered));
                self.lifecycle.spawn(kept);
                Ok(entered)
            });
            let entered = match entered.await {
                Ok(entered) => Arc::clone(entered),
                Err(refused) => {
                    self.forget(key, &cell);
                    return Err(refused);
                }
            };
            match entered.begin_request() {
                Ok(()) => return Ok(Place(entered)),
                Err(Full::Limit) => return Err(Refused::early(Refusal::Limit)),
                Err(Full::Closed) => self.forget(key, &cell),
            }
        }
    }

    fn forget(&self, key: &Key, cell: &Cell) {
        let mut kept = self.lock();
        if kept.get(key).is_some_and(|known| Arc::ptr_eq(known, cell)) {
            kept.remove(key);
        }
    }

    fn forget_session(&self, key: &Key, entered: &Arc<Entered>) {
        let mut kept = self.lock();
        let is_it = |cell: &Cell| cell.get().is_some_and(|known| Arc::ptr_eq(known, entered));
        if kept.get(key).is_some_and(is_it) {
            kept.remove(key);
        }
    }

    /// Ends the session when it is cut, at rest for long, or at rest while the node stops.
    async fn keep(self: Arc<Self>, key: Key, entered: Arc<Entered>) {
        let stopped = async {
            self.lifecycle.stopping().await;
            entered.close_after(Duration::ZERO).await;
        };
        let ended = tokio::select! {
            biased;
            ended = entered.session.cut().wait() => ended,
            () = entered.close_after(IDLE_MAX) => Ended::Finished,
            () = stopped => Ended::Finished,
            never = entered.tell_requests() => match never {},
        };
        self.forget_session(&key, &entered);
        entered.session.end(ended);
        entered.pool.close();
    }
}

/// Why a session takes no request.
enum Full {
    Limit,
    Closed,
}

impl Entered {
    fn begin_request(&self) -> Result<(), Full> {
        if !self.session.is_live() {
            return Err(Full::Closed);
        }
        let mut full = None;
        self.requests.send_if_modified(|requests| {
            match *requests {
                CLOSED => full = Some(Full::Closed),
                REQUESTS_MAX.. => full = Some(Full::Limit),
                _ => *requests += 1,
            }
            *requests == 1
        });
        full.map_or(Ok(()), Err)
    }

    /// Records what the session is used for, for ever.
    async fn tell_requests(&self) -> Infallible {
        loop {
            sleep(TOLD_EVERY).await;
            self.session.tell_requests();
        }
    }

    /// Completes when no request was under way for this long; from then on it takes none.
    async fn close_after(&self, idle: Duration) {
        let mut requests = self.requests.subscribe();
        loop {
            // The sender lives as long as we do.
            let _ = requests.wait_for(|requests| *requests == 0).await;
            let began = timeout(idle, requests.wait_for(|requests| *requests > 0)).await;
            if began.is_ok() && !idle.is_zero() {
                continue;
            }
            let is_closed = self.requests.send_if_modified(|requests| {
                let at_rest = *requests == 0;
                *requests = if at_rest { CLOSED } else { *requests };
                at_rest
            });
            if is_closed {
                return;
            }
        }
    }
}
