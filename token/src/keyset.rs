//! The pinned keys: issuer, then the key's name. Nothing outside this map is ever looked up.

use crate::VerifyingKey;
use std::collections::HashMap;

/// The longest key name that is looked up; thumbprints have 43 characters.
pub(crate) const KID_MAX_BYTES: usize = 128;

/// A second, different key under a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another key already has this name")]
pub struct KidTaken;

/// Public keys by issuer and name. A name is bound to one key, and the key to one algorithm.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    issuers: HashMap<String, HashMap<String, VerifyingKey>>,
}

impl KeySet {
    /// A set that knows no key and therefore accepts no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of one issuer.
    pub fn of(issuer: &str, keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let mut set = Self::new();
        for key in keys {
            // A name is the thumbprint of its key, so two keys of this crate never meet under one name.
            let _ = set.insert(issuer, key);
        }
        set
    }

    /// Adds a key under the name that follows from it.
    pub fn insert(&mut self, issuer: &str, key: VerifyingKey) -> Result<(), KidTaken> {
        let kid = key.kid().to_owned();
        self.insert_as(issuer, &kid, key)
    }

    /// Adds a key under a name that somebody else chose. A name that is taken by another key stays as it is.
    pub fn insert_as(&mut self, issuer: &str, kid: &str, key: VerifyingKey) -> Result<(), KidTaken> {
        if kid.len() > KID_MAX_BYTES {
            return Err(KidTaken);
        }
        let keys = self.issuers.entry(issuer.to_owned()).or_default();
        match keys.get(kid) {
            Some(other) if *other != key => Err(KidTaken),
            _ => {
                keys.insert(kid.to_owned(), key);
                Ok(())
            }
        }
    }

    /// The key that this issuer calls `kid`.
    pub fn find(&self, issuer: &str, kid: &str) -> Option<&VerifyingKey> {
        self.issuers.get(issuer)?.get(kid)
    }

    /// Every key of an issuer, in no order.
    pub fn keys(&self, issuer: &str) -> impl Iterator<Item = &VerifyingKey> {
        self.issuers.get(issuer).into_iter().flat_map(HashMap::values)
    }
}
