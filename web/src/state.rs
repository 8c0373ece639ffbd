//! What every handler can reach.

use crate::{KeyRing, LiveSessions, Snapshots};
use postern_ids::Timestamp;
use postern_store::Store;
use std::{fmt, sync::Arc};

/// Tells the time; tests bring their own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that reads this function.
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What the gateway gives to this crate.
#[derive(Clone)]
pub struct WebConfig {
    /// The gateway's public URL without a trailing slash: issuer of tokens, and the only origin of our pages.
    pub issuer: String,
    /// SHA-256 of the public key of the gateway's own CA, when it has one; it goes into enrolment tokens.
    pub ca_sha256: Option<[u8; 32]>,
    /// The store.
    pub store: Store,
    /// The signing keys.
    pub keys: Arc<KeyRing>,
    /// The policy in force.
    pub snapshots: Arc<dyn Snapshots>,
    /// What lives here.
    pub live: Arc<dyn LiveSessions>,
    /// The time.
    pub clock: Clock,
}

/// The shared state of all handlers. Cheap to clone.
#[derive(Clone)]
pub struct WebState(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: WebConfig,
}

impl WebState {
    /// The state for a router.
    pub fn new(config: WebConfig) -> Self {
        Self(Arc::new(Inner { config }))
    }
}
