//! What decides on this node: the newest snapshot, how stale it is, and the principals that were read. Deciding never
//! waits for the store; only the first use of a principal reads it.

mod clock;
mod cutting;
mod follow;
mod principals;
#[cfg(test)]
mod tests;

pub use clock::{earliest_clock, wall_clock};
pub use cutting::end_sessions;
pub use follow::{Follower, Looked, Reconciled};
pub use principals::{PrincipalError, Principals};

use postern_policy::{
    Snapshot, Staleness,
    live::{Current, LiveTable},
    model::PrincipalId,
};
use postern_store::Confirmed;
use postern_tunnel_io::Cut;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The live sessions of this node; each stands there with what cuts it.
pub type Live = LiveTable<Cut>;

/// The policy in force on this node.
#[derive(Debug)]
pub struct Policies {
    newest: watch::Sender<Arc<Snapshot>>,
    confirmed: watch::Receiver<Option<Confirmed>>,
    held: Mutex<Held>,
    refused: AtomicBool,
    /// The principals that were read.
    pub principals: Principals,
}

/// When the store last confirmed the revision in force.
#[derive(Debug, Clone, Copy)]
struct Held {
    revision: u64,
    at: Instant,
}

impl Policies {
    /// Begins with a snapshot that was loaded at `loaded_at`.
    pub fn new(
        first: Snapshot,
        loaded_at: Instant,
        confirmed: watch::Receiver<Option<Confirmed>>,
        principals: Principals,
    ) -> Arc<Self> {
        let held = Held { revision: first.revision(), at: loaded_at };
        Arc::new(Self {
            newest: watch::Sender::new(Arc::new(first)),
            confirmed,
            held: Mutex::new(held),
            refused: AtomicBool::new(false),
            principals,
        })
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.newest.borrow())
    }

    /// The newest snapshot and how stale it is.
    pub fn current(&self) -> (Arc<Snapshot>, Staleness) {
        let snapshot = self.snapshot();
        let confirmed = *self.confirmed.borrow();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(confirmed) = confirmed.filter(|confirmed| confirmed.revision == snapshot.revision()) {
            // A confirmation that is older than the load of this revision tells nothing new.
            if held.revision != confirmed.revision || held.at < confirmed.at {
                *held = Held { revision: confirmed.revision, at: confirmed.at };
            }
        }
        let staleness = Instant::now().saturating_duration_since(held.at);
        drop(held);
        (snapshot, Staleness(staleness))
    }

    /// What holds at this moment for a session of `principal`.
    pub fn current_for(&self, principal: PrincipalId) -> Current {
        let (snapshot, staleness) = self.current();
        Current { snapshot, staleness, principal: self.principals.cached(principal) }
    }

    /// Waits for a snapshot newer than `revision`, but no longer than `patience`. Whether it came.
    pub async fn newer_than(&self, revision: u64, patience: Duration) -> bool {
        let mut newest = self.newest.subscribe();
        let came = newest.wait_for(|snapshot| snapshot.revision() > revision);
        tokio::time::timeout(patience, came).await.is_ok_and(|came| came.is_ok())
    }

    /// Whether the store holds policy that does not compile, so that an older one is in force.
    pub fn is_refusing(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Notes whether the store's newest policy compiled.
    pub(crate) fn set_refusing(&self, refused: bool) {
        self.refused.store(refused, Ordering::Relaxed);
    }

    fn publish(&self, next: Snapshot, loaded_at: Instant) {
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.revision != next.revision() {
                *held = Held { revision: next.revision(), at: loaded_at };
            }
        }
        self.newest.send_replace(Arc::new(next));
    }
}
