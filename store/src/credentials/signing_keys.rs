//! The gateway's own keys, sealed under the master key.

use crate::{ChangeError, Store, StoreError};
use postern_ids::Timestamp;
use zeroize::Zeroizing;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Access tokens.
    Access,
    /// Grants and tickets towards connectors.
    Grant,
    /// Certificates of the gateway's own authority.
    Ca,
}

/// One signing key with its times.
#[derive(Clone)]
pub struct SigningKey {
    /// Its id, unique over all kinds.
    pub kid: String,
    /// What it signs.
    pub kind: KeyKind,
    /// The private part (PKCS #8).
    pub secret: Zeroizing<Vec<u8>>,
    /// What may be published: a JWK as JSON, or a certificate in PEM.
    pub public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; it is published from its creation on.
    pub signs_from: Timestamp,
    /// When it is published no longer.
    pub retires_at: Timestamp,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Store {
    /// The keys of a kind that are not retired, the oldest first.
    pub async fn signing_keys(&self, kind: KeyKind, now: Timestamp) -> Result<Vec<SigningKey>, StoreError> {
        let _ = (kind, now);
        todo!()
    }

    /// Stores `candidate` if no key of its kind signs past `until`, and gives the unretired keys of that kind: gateways
    /// that rotate at the same time end up with the same key.
    pub async fn rotate_signing_key(
        &self,
        candidate: &SigningKey,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SigningKey>, ChangeError> {
        let _ = (candidate, until, now);
        todo!()
    }
}
