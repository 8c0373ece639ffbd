//! The grant keys that this connector believes while it runs: pinned at enrolment, renewed by announcements that one of
//! them signed.

use postern_ids::{ConnectorId, Timestamp};
use postern_token::{GrantClaims, PinnedKeys, Rejected, TimedKey};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The pinned keys of one connector; asked for each session, changed seldom.
#[derive(Debug)]
pub struct Pins {
    audience: String,
    /// The lock is held to take the keys out or to put others in, not while a grant is checked.
    keys: Mutex<Arc<PinnedKeys>>,
}

impl Pins {
    /// The keys that `connector` believes when it starts.
    pub fn new(connector: ConnectorId, issuer: &str, keys: Vec<TimedKey>) -> Self {
        Self { audience: connector.to_string(), keys: Mutex::new(Arc::new(PinnedKeys::new(issuer, keys))) }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<PinnedKeys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Arc<PinnedKeys> {
        Arc::clone(&self.lock())
    }

    /// Checks a grant for this connector.
    pub fn verify(&self, grant: &str, now: Timestamp) -> Result<GrantClaims, Rejected> {
        Ok(self.now().verify_grant(grant, &self.audience, now)?.into_inner())
    }

    /// Takes over an announcement that a pinned key signed. Whether that changed anything.
    pub fn learn(&self, announcement: &[u8], now: Timestamp) -> Result<bool, Rejected> {
        let mut keys = self.lock();
        let mut next = PinnedKeys::clone(&keys);
        let is_new = next.learn(announcement, now)?;
        *keys = Arc::new(next);
        Ok(is_new)
    }

    /// The keys as they are kept.
    pub fn to_jwks(&self) -> Vec<serde_json::Value> {
        self.now().keys().iter().map(TimedKey::to_jwk).collect()
    }
}
