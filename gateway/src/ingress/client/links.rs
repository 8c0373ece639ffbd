//! The links of clients, so that they can be told to go elsewhere and closed when nobody stands behind them any more.

use super::Caller;
use crate::lifecycle::Lifecycle;
use postern_ids::{Refusal, Timestamp};
use postern_policy::Snapshot;
use postern_tunnel_io::Link;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// How long a link outlives its caller: enough for its sessions, which are cut meanwhile, to tell their end on it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// All client links of this node. The listener's connection limit bounds it.
#[derive(Debug, Default)]
pub struct ClientLinks {
    links: Mutex<HashMap<u64, (Link, Arc<Caller>)>>,
    serial: AtomicU64,
}

/// A link's place; leaves when dropped.
pub(super) struct Held {
    links: Arc<ClientLinks>,
    serial: u64,
}

impl ClientLinks {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Link, Arc<Caller>)>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(self: &Arc<Self>, link: Link, caller: Arc<Caller>) -> Held {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(serial, (link, caller));
        metrics::gauge!("postern_client_links").increment(1.0);
        Held { links: Arc::clone(self), serial }
    }

    /// Closes the links whose sign-in or token the snapshot no longer honors. Their sessions are cut by the live table.
    pub fn reconcile(&self, snapshot: &Snapshot, now: Timestamp, lifecycle: &Lifecycle) {
        self.lock().retain(|_, (link, caller)| {
            let stays = caller.is_good(snapshot, now);
            if !stays {
                lifecycle.spawn(dismiss(link.clone()));
            }
            stays
        });
    }

    /// Closes every link.
    pub fn close(&self, code: u16, reason: &str) {
        for link in self.all() {
            link.close(code, reason);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn all(&self) -> Vec<Link> {
        self.lock().values().map(|(link, _)| link.clone()).collect()
    }

    /// Tells every client to open its next lanes elsewhere.
    pub fn go_away(&self, code: u16, hint: &str) {
        for link in self.all() {
            link.go_away(code, hint);
        }
    }
}

/// Closes a link after its sessions. A close that overtook their resets would have the command come back to go on, and tell
/// its person of a sign-in that expired instead of the reason.
async fn dismiss(link: Link) {
    let _ = timeout(LAST_WORDS, link.lanes_done()).await;
    link.close(Refusal::Unauthenticated.code(), Refusal::Unauthenticated.sentence());
}

impl Drop for Held {
    fn drop(&mut self) {
        metrics::gauge!("postern_client_links").decrement(1.0);
        self.links.lock().remove(&self.serial);
    }
}
