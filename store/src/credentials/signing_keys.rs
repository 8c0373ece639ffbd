//! The gateway's own keys, sealed under the master key.

use crate::{
    Actor, ChangeError, Kind, Store, StoreError,
    change::Note,
    db::{Tx, execute, fetch_all},
    seal::Place,
};
use postern_ids::Timestamp;
use zeroize::Zeroizing;

const TABLE: &str = "signing_keys";
const COLUMN: &str = "secret_sealed";

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Access tokens.
    Access,
    /// Grants and tickets towards connectors.
    Grant,
    /// Certificates of the gateway's own authority.
    Ca,
    /// What applications are told about who asks.
    Assertion,
}

impl KeyKind {
    /// The word in the database and in the audit.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Grant => "grant",
            Self::Ca => "ca",
            Self::Assertion => "assertion",
        }
    }
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

type Columns = (String, Vec<u8>, String, i64, i64, i64);

async fn select(
    store: &Store,
    tx: &mut Tx,
    kind: KeyKind,
    now: Timestamp,
) -> Result<Vec<SigningKey>, StoreError> {
    let rows: Vec<Columns> = fetch_all!(
        tx,
        Columns,
        "SELECT kid, secret_sealed, public, created_at, signs_from, retires_at FROM signing_keys
         WHERE kind = $1 AND retires_at > $2 ORDER BY signs_from, kid",
        kind.label(),
        now.as_micros()
    )?;
    rows.into_iter().map(|row| open(store, kind, row)).collect()
}

fn open(store: &Store, kind: KeyKind, row: Columns) -> Result<SigningKey, StoreError> {
    let (kid, sealed, public, created_at, signs_from, retires_at) = row;
    let secret = store.inner.seals.open(Place { table: TABLE, id: &kid, column: COLUMN }, &sealed)?;
    Ok(SigningKey {
        kid,
        kind,
        secret,
        public,
        created_at: Timestamp::from_micros(created_at),
        signs_from: Timestamp::from_micros(signs_from),
        retires_at: Timestamp::from_micros(retires_at),
    })
}

impl Store {
    /// The keys of a kind that are not retired, the oldest first.
    pub async fn signing_keys(&self, kind: KeyKind, now: Timestamp) -> Result<Vec<SigningKey>, StoreError> {
        select(self, &mut self.inner.pools.read().await?, kind, now).await
    }

    /// Stores `candidate` unless a key of its kind signs from later than `newest`, and gives the unretired keys of that
    /// kind: gateways that rotate at the same time end up with the same key.
    pub async fn rotate_signing_key(
        &self,
        actor: Actor,
        candidate: &SigningKey,
        newest: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SigningKey>, ChangeError> {
        let mut change = self.change(actor, now).await?;
        let keys = select(self, &mut change.tx, candidate.kind, now).await?;
        if keys.iter().any(|key| key.signs_from > newest) {
            change.rollback().await?;
            return Ok(keys);
        }
        let place = Place { table: TABLE, id: &candidate.kid, column: COLUMN };
        execute!(
            &mut change.tx,
            "INSERT INTO signing_keys (kid, kind, secret_sealed, public, created_at, signs_from, retires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &candidate.kid,
            candidate.kind.label(),
            self.inner.seals.seal(place, &candidate.secret),
            &candidate.public,
            candidate.created_at.as_micros(),
            candidate.signs_from.as_micros(),
            candidate.retires_at.as_micros()
        )
        .map_err(|error| error.about(Kind::SigningKey, &candidate.kid))?;
        change.touch(Kind::SigningKey, &candidate.kid);
        let kind = candidate.kind.label();
        change.note(Note {
            after: Some(kind.into()),
            ..Note::new(Kind::SigningKey, "created", &candidate.kid)
        });
        let keys = select(self, &mut change.tx, candidate.kind, now).await?;
        change.commit().await?;
        Ok(keys)
    }
}
