//! The gateway's signing keys: made once, sealed in the store, published before they sign and after they stopped.

use arc_swap::ArcSwap;
use postern_ids::Timestamp;
use postern_store::{ChangeError, KeyKind, SigningKey as StoredKey, Store, StoreError};
use postern_token::{Alg, KeyError, KeySet, SigningKey, TICKET_LIFETIME_MAX, VerifyingKey};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// How long a key of access tokens signs.
const ACCESS_SIGNS_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a key of grants signs. Connectors pin it when they enroll and learn no other, so a successor would be refused
/// by every connector of before.
const GRANT_SIGNS_FOR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long a key is published before it signs: longer than any gateway waits between two refreshes.
const PUBLISHED_AHEAD: Duration = Duration::from_secs(2 * 3600);

/// How long a key is published after it stopped signing: longer than what it signed can live, with an hour to spare.
const fn published_after(kind: KeyKind) -> Duration {
    match kind {
        KeyKind::Access => Duration::from_secs(25 * 3600),
        // Tickets live longest of what this key signs.
        KeyKind::Grant | KeyKind::Ca => TICKET_LIFETIME_MAX.saturating_add(Duration::from_secs(3600)),
    }
}

/// Why the keys could not be loaded or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The store did not give them.
    #[error("the signing keys cannot be read")]
    Store(#[from] StoreError),
    /// The store did not take a new one.
    #[error("a new signing key cannot be stored")]
    Change(#[from] ChangeError),
    /// A stored key is not one, or no new one could be made.
    #[error("signing key {kid} cannot be used")]
    Key {
        /// The key's name; empty for a new one.
        kid: String,
        /// What is wrong with it.
        #[source]
        source: KeyError,
    },
}

/// The keys at one moment.
#[derive(Debug, Clone)]
pub struct Keys {
    access: Vec<Held>,
    grant: Vec<Held>,
    verify_access: KeySet,
    verify_grant: KeySet,
}

#[derive(Debug, Clone)]
struct Held {
    key: SigningKey,
    signs_from: Timestamp,
}

impl Keys {
    /// The key that signs access tokens at this time.
    pub fn access_signer(&self, now: Timestamp) -> Option<&SigningKey> {
        signer(&self.access, now)
    }

    /// The key that signs grants and tickets at this time.
    pub fn grant_signer(&self, now: Timestamp) -> Option<&SigningKey> {
        signer(&self.grant, now)
    }

    /// The keys under which access tokens verify.
    pub fn access_keys(&self) -> &KeySet {
        &self.verify_access
    }

    /// The keys under which tickets, and the grants in a connector's inventory, verify.
    pub fn grant_keys(&self) -> &KeySet {
        &self.verify_grant
    }

    /// The public keys of access tokens, the oldest first.
    pub fn access_public(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.access.iter().map(|held| held.key.verifying())
    }

    /// The public keys of grants, the oldest first: what a connector pins.
    pub fn grant_public(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.grant.iter().map(|held| held.key.verifying())
    }
}

/// The newest key whose time to sign has come; on a clock that is behind all of them, the oldest.
fn signer(held: &[Held], now: Timestamp) -> Option<&SigningKey> {
    held.iter().rev().find(|held| held.signs_from <= now).or(held.first()).map(|held| &held.key)
}

/// Holds the keys and renews them from the store.
#[derive(Debug)]
pub struct KeyRing {
    issuer: String,
    keys: ArcSwap<Keys>,
}

impl KeyRing {
    /// Loads the keys, making the first ones in an empty store.
    pub async fn open(store: &Store, issuer: &str, now: Timestamp) -> Result<Self, KeyRingError> {
        let keys = load(store, issuer, now).await?;
        Ok(Self { issuer: issuer.to_owned(), keys: ArcSwap::from_pointee(keys) })
    }

    /// Loads the keys again and makes the next ones when it is time. Call this every hour.
    pub async fn refresh(&self, store: &Store, now: Timestamp) -> Result<(), KeyRingError> {
        let keys = load(store, &self.issuer, now).await?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The keys now.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }
}

async fn load(store: &Store, issuer: &str, now: Timestamp) -> Result<Keys, KeyRingError> {
    let access = load_kind(store, KeyKind::Access, Alg::Es256, now).await?;
    let grant = load_kind(store, KeyKind::Grant, Alg::EdDsa, now).await?;
    let public = |held: &[Held]| KeySet::of(issuer, held.iter().map(|held| held.key.verifying().clone()));
    Ok(Keys { verify_access: public(&access), verify_grant: public(&grant), access, grant })
}

async fn load_kind(
    store: &Store,
    kind: KeyKind,
    alg: Alg,
    now: Timestamp,
) -> Result<Vec<Held>, KeyRingError> {
    let mut stored = store.signing_keys(kind, now).await?;
    let needed_until = now.plus(PUBLISHED_AHEAD).plus(published_after(kind));
    if stored.iter().all(|key| key.retires_at <= needed_until) {
        let next = candidate(kind, alg, stored.is_empty(), now)?;
        stored = store.rotate_signing_key(&next, needed_until, now).await?;
    }
    stored.iter().map(|key| held(alg, key)).collect()
}

fn candidate(kind: KeyKind, alg: Alg, first: bool, now: Timestamp) -> Result<StoredKey, KeyRingError> {
    let key = SigningKey::generate(alg).map_err(|source| KeyRingError::Key { kid: String::new(), source })?;
    let signs_from = if first { now } else { now.plus(PUBLISHED_AHEAD) };
    let signs_for = match kind {
        KeyKind::Access => ACCESS_SIGNS_FOR,
        KeyKind::Grant | KeyKind::Ca => GRANT_SIGNS_FOR,
    };
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        kind,
        secret: Zeroizing::new(key.pkcs8().to_vec()),
        public: key.verifying().to_jwk().to_string(),
        created_at: now,
        signs_from,
        retires_at: signs_from.plus(signs_for).plus(published_after(kind)),
    })
}

fn held(alg: Alg, stored: &StoredKey) -> Result<Held, KeyRingError> {
    let key = SigningKey::from_pkcs8(alg, &stored.secret)
        .map_err(|source| KeyRingError::Key { kid: stored.kid.clone(), source })?;
    Ok(Held { key, signs_from: stored.signs_from })
}
