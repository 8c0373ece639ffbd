//! Loads what a policy snapshot is made of; each part is read whole, and only when its revision moved.

use crate::{
    Revision, Store, StoreError,
    change::{STORE_CHAIN, count},
    db::{Tx, fetch_all, fetch_optional},
    objects::{Object, select_all, settings},
    records::ended_sessions,
};
use postern_ids::Timestamp;
use postern_policy::{Places, Revoked, Rules, SnapshotSource};
use std::{collections::HashSet, hash::Hash, str::FromStr, sync::Arc, time::Duration};

/// How long an ended sign-in stays listed: beyond the life of a sign-in (12 h), and so of everything that rests on it, and the
/// longest staleness that a gateway may work with.
const SIGN_INS_LISTED_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a revoked token stays listed: beyond the life of a ticket (7 d) that could bring back a session which rests on it.
const TOKENS_LISTED_FOR: Duration = Duration::from_secs(8 * 24 * 3600);

/// Where the parts stood when they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stand {
    revision: Revision,
    rules: Revision,
    places: Revision,
    revoked: Revision,
    audit_sequence: i64,
    audit_hash: Option<Vec<u8>>,
}

/// Keeps the parts of the last load.
pub struct SnapshotLoader {
    store: Store,
    last: Option<(Stand, SnapshotSource)>,
}

impl Store {
    /// A loader that holds nothing yet.
    pub fn snapshot_loader(&self) -> SnapshotLoader {
        SnapshotLoader { store: self.clone(), last: None }
    }

    /// Reads everything a snapshot needs, as of one revision.
    pub async fn snapshot_source(&self, now: Timestamp) -> Result<SnapshotSource, StoreError> {
        self.snapshot_loader().load(now).await
    }
}

impl SnapshotLoader {
    /// Reads the parts that moved since the last load, all as of one revision.
    pub async fn load(&mut self, now: Timestamp) -> Result<SnapshotSource, StoreError> {
        let mut tx = self.store.inner.pools.read().await?;
        let stand = stand(&mut tx).await?;
        let kept = match &self.last {
            Some((last, source)) if continues(&mut tx, last).await? => Some((last, source)),
            _ => None,
        };
        let source = SnapshotSource {
            revision: stand.revision,
            rules: match kept {
                Some((last, source)) if last.rules == stand.rules => Arc::clone(&source.rules),
                _ => Arc::new(rules(&mut tx).await?),
            },
            places: match kept {
                Some((last, source)) if last.places == stand.places => Arc::clone(&source.places),
                _ => Arc::new(places(&mut tx).await?),
            },
            revoked: match kept {
                Some((last, source)) if last.revoked == stand.revoked => Arc::clone(&source.revoked),
                _ => Arc::new(revoked(&mut tx, now).await?),
            },
        };
        self.last = Some((stand, source.clone()));
        Ok(source)
    }
}

type StandColumns = (i64, i64, i64, i64, i64, Option<Vec<u8>>);

async fn stand(tx: &mut Tx) -> Result<Stand, StoreError> {
    let row: Option<StandColumns> = fetch_optional!(
        tx,
        StandColumns,
        "SELECT revision, rules_revision, places_revision, revoked_revision, audit_sequence, audit_hash FROM meta WHERE one = 1"
    )?;
    let (revision, rules, places, revoked, audit_sequence, audit_hash) =
        row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
    Ok(Stand {
        revision: count(revision, "meta.revision")?,
        rules: count(rules, "meta.rules_revision")?,
        places: count(places, "meta.places_revision")?,
        revoked: count(revoked, "meta.revoked_revision")?,
        audit_sequence,
        audit_hash,
    })
}

/// Whether the store still has the history that `last` was read from. After a restored backup the same revision numbers
/// may stand for other contents; the audit chain tells.
async fn continues(tx: &mut Tx, last: &Stand) -> Result<bool, StoreError> {
    let Some(hash) = &last.audit_hash else { return Ok(false) };
    let row: Option<(Vec<u8>,)> = fetch_optional!(
        tx,
        (Vec<u8>,),
        "SELECT hash FROM audit WHERE chain = $1 AND sequence = $2",
        STORE_CHAIN,
        last.audit_sequence
    )?;
    Ok(row.is_some_and(|(found,)| found == *hash))
}

async fn values<T: Object>(tx: &mut Tx) -> Result<Vec<T>, StoreError> {
    Ok(select_all::<T>(tx).await?.into_iter().map(|stored| stored.value).collect())
}

async fn shared<T: Object>(tx: &mut Tx) -> Result<Vec<Arc<T>>, StoreError> {
    Ok(select_all::<T>(tx).await?.into_iter().map(|stored| Arc::new(stored.value)).collect())
}

async fn rules(tx: &mut Tx) -> Result<Rules, StoreError> {
    Ok(Rules {
        policies: values(tx).await?,
        grants: values(tx).await?,
        windows: values(tx).await?,
        thresholds: values(tx).await?,
        settings: settings(tx).await?.value,
    })
}

async fn places(tx: &mut Tx) -> Result<Places, StoreError> {
    Ok(Places {
        sites: shared(tx).await?,
        resources: shared(tx).await?,
        connectors: shared(tx).await?,
        groups: shared(tx).await?,
    })
}

async fn revoked(tx: &mut Tx, now: Timestamp) -> Result<Revoked, StoreError> {
    Ok(Revoked {
        disabled_users: ids(&fetch_all!(tx, (String,), "SELECT id FROM users WHERE disabled")?, "users")?,
        disabled_service_accounts: ids(
            &fetch_all!(tx, (String,), "SELECT id FROM service_accounts WHERE disabled")?,
            "service_accounts",
        )?,
        ended_sign_ins: ids(
            &fetch_all!(
                tx,
                (String,),
                "SELECT id FROM sign_ins WHERE ended_at > $1",
                now.minus(SIGN_INS_LISTED_FOR).as_micros()
            )?,
            "sign_ins",
        )?,
        revoked_tokens: ids(
            &fetch_all!(
                tx,
                (String,),
                "SELECT id FROM service_tokens WHERE revoked_at > $1
                 UNION ALL SELECT id FROM app_tokens WHERE revoked_at > $1",
                now.minus(TOKENS_LISTED_FOR).as_micros()
            )?,
            "service_tokens or app_tokens",
        )?,
        ended_sessions: ended_sessions(tx, now).await?,
    })
}

fn ids<T: FromStr + Eq + Hash>(rows: &[(String,)], table: &str) -> Result<HashSet<T>, StoreError> {
    rows.iter().map(|(id,)| id.parse().map_err(|_| StoreError::corrupt(table, id))).collect()
}
