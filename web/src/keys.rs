//! The gateway's signing keys: made once, sealed in the store, published before they sign and after they stopped.

use arc_swap::ArcSwap;
use postern_ids::Timestamp;
use postern_store::{Actor, ChangeError, KeyKind, SigningKey as StoredKey, Store, StoreError};
use postern_token::{
    ANNOUNCED_MAX, Alg, KEYS_AUDIENCE, KeyError, KeySet, KeysClaims, SigningKey, TICKET_LIFETIME_MAX,
    TimedKey, VerifyingKey, announce,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a key is published before it signs: longer than any gateway waits between two refreshes, so that every gateway
/// knows it, and has announced it to its connectors, before the first grant that it signs.
const PUBLISHED_AHEAD: Duration = Duration::from_secs(2 * 3600);

/// An announcement is for the link that it is sent on.
const ANNOUNCEMENT_LIFETIME: Duration = Duration::from_secs(60);

/// Applications look for keys at their own pace, and many keep what they found for a day.
const PUBLISHED_TO_APPLICATIONS_AHEAD: Duration = DAY;

/// The times of a kind of keys.
struct Life {
    alg: Alg,
    /// How long it is published before it signs.
    published_ahead: Duration,
    signs_for: Duration,
    /// How long it is kept after it stopped signing.
    kept_after: Duration,
}

/// What an access token's key signed lives shorter than a day.
const ACCESS: Life = Life {
    alg: Alg::Es256,
    published_ahead: PUBLISHED_AHEAD,
    signs_for: DAY.saturating_mul(30),
    kept_after: DAY.saturating_add(PUBLISHED_AHEAD),
};

/// A key of grants goes on signing announcements: a connector that was switched off for a year still has a pinned key
/// that vouches for the ones in use.
const GRANT: Life = Life {
    alg: Alg::EdDsa,
    published_ahead: PUBLISHED_AHEAD,
    signs_for: DAY.saturating_mul(90),
    kept_after: DAY.saturating_mul(400),
};

/// What an assertion's key signed lives for minutes; the rest is for gateways whose clocks and keys differ.
const ASSERTION: Life = Life {
    alg: Alg::Es256,
    published_ahead: PUBLISHED_TO_APPLICATIONS_AHEAD,
    signs_for: DAY.saturating_mul(30),
    kept_after: DAY.saturating_add(PUBLISHED_AHEAD),
};

// Tickets live longest of what a key of grants signed.
const _: () = assert!(GRANT.kept_after.as_secs() > TICKET_LIFETIME_MAX.as_secs());

fn life(kind: KeyKind) -> Life {
    match kind {
        KeyKind::Access => ACCESS,
        KeyKind::Assertion => ASSERTION,
        KeyKind::Grant | KeyKind::Ca => GRANT,
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
    assertion: Vec<Held>,
    grant: Vec<Held>,
    verify_access: KeySet,
    verify_grant: KeySet,
}

#[derive(Debug, Clone)]
struct Held {
    key: SigningKey,
    signs_from: Timestamp,
    retires_at: Timestamp,
}

impl Held {
    fn timed(&self) -> TimedKey {
        TimedKey {
            key: self.key.verifying().clone(),
            not_before: Some(self.signs_from),
            expires: Some(self.retires_at),
        }
    }
}

impl Keys {
    /// The key that signs access tokens at this time.
    pub fn access_signer(&self, now: Timestamp) -> Option<&SigningKey> {
        signer(&self.access, now)
    }

    /// The key that signs assertions to applications at this time.
    pub fn assertion_signer(&self, now: Timestamp) -> Option<&SigningKey> {
        signer(&self.assertion, now)
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

    /// The public keys of assertions, the oldest first.
    pub fn assertion_public(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.assertion.iter().map(|held| held.key.verifying())
    }

    /// The public keys of grants with their times, the newest first: what a connector pins.
    pub fn grant_public(&self) -> impl Iterator<Item = TimedKey> {
        self.announced().map(Held::timed)
    }

    /// The newest keys of grants, as many as an announcement holds.
    fn announced(&self) -> impl Iterator<Item = &Held> {
        self.grant.iter().rev().take(ANNOUNCED_MAX)
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
    grants_changed: Notify,
}

/// The key of grants that signs next, or signs already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its name.
    pub kid: String,
    /// From when on it signs.
    pub signs_from: Timestamp,
}

impl KeyRing {
    /// Loads the keys, making the first ones in an empty store.
    pub async fn open(store: &Store, issuer: &str, now: Timestamp) -> Result<Self, KeyRingError> {
        let keys = load(store, issuer, now).await?;
        let keys = ArcSwap::from_pointee(keys);
        Ok(Self { issuer: issuer.to_owned(), keys, grants_changed: Notify::new() })
    }

    /// Loads the keys again and makes the next ones when it is time. Call this every hour.
    pub async fn refresh(&self, store: &Store, now: Timestamp) -> Result<(), KeyRingError> {
        let keys = Arc::new(load(store, &self.issuer, now).await?);
        let older = self.keys.swap(Arc::clone(&keys));
        if !older.grant_public().eq(keys.grant_public()) {
            self.grants_changed.notify_one();
        }
        Ok(())
    }

    /// Makes the next key of grants now, unless one waits for its time already.
    pub async fn rotate_grants(
        &self,
        store: &Store,
        by: Actor,
        now: Timestamp,
    ) -> Result<Successor, KeyRingError> {
        let next = candidate(KeyKind::Grant, now.plus(PUBLISHED_AHEAD), now)?;
        store.rotate_signing_key(by, &next, now, now).await?;
        self.refresh(store, now).await?;
        let keys = self.keys();
        let newest = keys.grant.last().ok_or_else(|| no_key(KeyError::Private))?;
        Ok(Successor { kid: newest.key.kid().to_owned(), signs_from: newest.signs_from })
    }

    /// Waits until the keys of grants are others than before. For one listener.
    pub async fn grants_changed(&self) {
        self.grants_changed.notified().await;
    }

    /// What a connector is told about the keys of grants, signed by each of them.
    pub fn announcement(&self, now: Timestamp) -> Result<String, KeyError> {
        let keys = self.keys();
        let claims = KeysClaims {
            iss: self.issuer.clone(),
            aud: KEYS_AUDIENCE.to_owned(),
            keys: keys.grant_public().collect(),
            iat: now,
            nbf: now,
            exp: now.plus(ANNOUNCEMENT_LIFETIME),
            jti: format!("{:032x}", rand::random::<u128>()),
        };
        announce(&claims, keys.announced().map(|held| &held.key))
    }

    /// The keys now.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.load_full()
    }
}

async fn load(store: &Store, issuer: &str, now: Timestamp) -> Result<Keys, KeyRingError> {
    let access = load_kind(store, KeyKind::Access, now).await?;
    let assertion = load_kind(store, KeyKind::Assertion, now).await?;
    let grant = load_kind(store, KeyKind::Grant, now).await?;
    let public = |held: &[Held]| KeySet::of(issuer, held.iter().map(|held| held.key.verifying().clone()));
    Ok(Keys { verify_access: public(&access), verify_grant: public(&grant), access, assertion, grant })
}

async fn load_kind(store: &Store, kind: KeyKind, now: Timestamp) -> Result<Vec<Held>, KeyRingError> {
    let mut stored = store.signing_keys(kind, now).await?;
    // A key that began later than this signs long enough for its successor to be published in time.
    let ahead = life(kind).published_ahead;
    let newest = now.plus(ahead).minus(life(kind).signs_for);
    if stored.iter().all(|key| key.signs_from <= newest) {
        let signs_from = if stored.is_empty() { now } else { now.plus(ahead) };
        let next = candidate(kind, signs_from, now)?;
        stored = store.rotate_signing_key(Actor::system("key_rotation"), &next, newest, now).await?;
    }
    stored.iter().map(|key| held(kind, key)).collect()
}

fn candidate(kind: KeyKind, signs_from: Timestamp, now: Timestamp) -> Result<StoredKey, KeyRingError> {
    let life = life(kind);
    let key = SigningKey::generate(life.alg).map_err(no_key)?;
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        kind,
        secret: Zeroizing::new(key.pkcs8().to_vec()),
        public: key.verifying().to_jwk().to_string(),
        created_at: now,
        signs_from,
        retires_at: signs_from.plus(life.signs_for).plus(life.kept_after),
    })
}

fn no_key(source: KeyError) -> KeyRingError {
    KeyRingError::Key { kid: String::new(), source }
}

fn held(kind: KeyKind, stored: &StoredKey) -> Result<Held, KeyRingError> {
    let key = SigningKey::from_pkcs8(life(kind).alg, &stored.secret)
        .map_err(|source| KeyRingError::Key { kid: stored.kid.clone(), source })?;
    Ok(Held { key, signs_from: stored.signs_from, retires_at: stored.retires_at })
}
