//! The one way to change what administrators manage: revision, change rows, audit rows and notification in one transaction.

mod note;

pub use note::Actor;
pub(crate) use note::Note;

use crate::{
    ChangeError, Kind, Store, StoreError,
    chain::Head,
    db::{Tx, execute, fetch_optional},
    handle::Inner,
};
use note::Parts;
use postern_ids::Timestamp;
use postern_policy::admin::OWNERS;
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// The number of a state of everything that policy depends on; it only grows.
pub type Revision = u64;

/// The chain of administrative records.
pub(crate) const STORE_CHAIN: &str = "store";
/// The Postgres channel that wakes the other gateways.
pub(crate) const CHANNEL: &str = "postern_changes";

/// A change in progress. Dropped without `commit`, it leaves nothing behind. After an error it can only be dropped.
pub struct Change {
    pub(crate) tx: Tx,
    pub(crate) inner: Arc<Inner>,
    pub(crate) now: Timestamp,
    revision: Revision,
    actor: Actor,
    head: Head,
    is_bootstrapped: bool,
    touched: BTreeSet<(&'static str, String)>,
    parts: Parts,
    notes: Vec<Note>,
    /// Lines of the audit that are about no object: kind and body.
    lines: Vec<(&'static str, String)>,
    owners_at_risk: bool,
    failed: bool,
}

/// Revision, position and hash of the audit chain, time of the bootstrap.
type Begun = (i64, i64, Option<Vec<u8>>, Option<i64>);

impl Store {
    /// Begins a change. Changes run one after the other: this waits for its turn.
    pub async fn change(&self, actor: Actor, now: Timestamp) -> Result<Change, StoreError> {
        let mut tx = self.inner.pools.write().await?;
        let row: Option<Begun> = fetch_optional!(
            &mut tx,
            Begun,
            "UPDATE meta SET revision = revision + 1 WHERE one = 1 RETURNING revision, audit_sequence, audit_hash, bootstrapped_at"
        )?;
        let (revision, sequence, hash, bootstrapped_at) =
            row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
        Ok(Change {
            tx,
            inner: Arc::clone(&self.inner),
            now,
            revision: count(revision, "meta.revision")?,
            actor,
            head: head(sequence, hash)?,
            is_bootstrapped: bootstrapped_at.is_some(),
            touched: BTreeSet::new(),
            parts: Parts::default(),
            notes: Vec::new(),
            lines: Vec::new(),
            owners_at_risk: false,
            failed: false,
        })
    }

    /// Whether the database answers within the statement limit; for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.revision().await.map(drop)
    }

    /// The current revision.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let row: Option<(i64,)> =
            fetch_optional!(&mut tx, (i64,), "SELECT revision FROM meta WHERE one = 1")?;
        let (revision,) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
        count(revision, "meta.revision")
    }
}

/// A count from a column that cannot be negative.
pub(crate) fn count(value: i64, column: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt(column, "negative"))
}

/// A count for a column; beyond 2^63 it stays there.
pub(crate) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn head(sequence: i64, hash: Option<Vec<u8>>) -> Result<Head, StoreError> {
    let Some(hash) = hash else { return Ok(Head::start(STORE_CHAIN)) };
    let hash = hash.try_into().map_err(|_| StoreError::corrupt("meta.audit_hash", "not 32 bytes"))?;
    Ok(Head { sequence: count(sequence, "meta.audit_sequence")?, hash })
}

impl Change {
    /// The revision that this change will have.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Makes the change durable and tells every gateway. A change that changed nothing moves no revision and gives the
    /// current one.
    pub async fn commit(mut self) -> Result<Revision, ChangeError> {
        if self.failed {
            return Err(ChangeError::Failed);
        }
        if self.touched.is_empty() && self.notes.is_empty() && self.lines.is_empty() {
            let unchanged = self.revision - 1;
            self.tx.rollback().await?;
            return Ok(unchanged);
        }
        if self.touched.is_empty() {
            self.revision -= 1;
        }
        self.keep_an_owner().await?;
        self.write_changes().await?;
        self.write_audit().await?;
        self.write_meta().await?;
        self.tx.commit().await?;
        self.inner.wake.ring();
        Ok(self.revision)
    }

    /// Takes everything back.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.tx.rollback().await
    }

    /// Notes that an object changed, for the feed and for the parts of the snapshot.
    pub(crate) fn touch(&mut self, kind: Kind, id: &dyn std::fmt::Display) {
        self.parts.touch(kind);
        self.touched.insert((kind.label(), id.to_string()));
    }

    /// Adds a line to the audit.
    pub(crate) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Adds a line to the audit that is about no object.
    pub(crate) fn record(&mut self, kind: &'static str, body: &impl Serialize) -> Result<(), ChangeError> {
        let body = serde_json::to_string(body).map_err(|error| StoreError::corrupt("audit", error))?;
        self.lines.push((kind, body));
        Ok(())
    }

    /// Asks for the check that an owner remains.
    pub(crate) fn risk_owners(&mut self) {
        self.owners_at_risk = true;
    }

    /// Remembers an error: what follows could otherwise commit half of what was meant.
    pub(crate) fn watch<T>(&mut self, result: Result<T, ChangeError>) -> Result<T, ChangeError> {
        self.failed |= result.is_err();
        result
    }

    /// Marks the installation as owned; from here on an owner must remain.
    pub(crate) async fn set_bootstrapped(&mut self) -> Result<(), ChangeError> {
        execute!(&mut self.tx, "UPDATE meta SET bootstrapped_at = $1 WHERE one = 1", self.now.as_micros())?;
        self.is_bootstrapped = true;
        Ok(())
    }

    pub(crate) fn is_bootstrapped(&self) -> bool {
        self.is_bootstrapped
    }

    /// Changes run one after the other, so the count cannot move between this check and the commit.
    async fn keep_an_owner(&mut self) -> Result<(), ChangeError> {
        if !self.owners_at_risk || !self.is_bootstrapped {
            return Ok(());
        }
        let owners: Option<(i64,)> = fetch_optional!(
            &mut self.tx,
            (i64,),
            "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.member_id WHERE m.group_id = $1 AND NOT u.disabled",
            OWNERS.to_string()
        )?;
        match owners {
            Some((count,)) if count > 0 => Ok(()),
            _ => Err(ChangeError::LastOwner),
        }
    }

    async fn write_changes(&mut self) -> Result<(), ChangeError> {
        for (kind, id) in &self.touched {
            execute!(
                &mut self.tx,
                "INSERT INTO changes (revision, kind, id) VALUES ($1, $2, $3)",
                column(self.revision),
                *kind,
                id
            )?;
        }
        Ok(())
    }

    async fn write_audit(&mut self) -> Result<(), ChangeError> {
        let mut rows = Vec::new();
        for note in &self.notes {
            let row = note.row(&self.actor, self.revision);
            rows.push(row.map_err(|error| StoreError::corrupt("audit", error))?);
        }
        rows.extend(self.lines.drain(..).map(|(kind, body)| (kind.to_owned(), body)));
        for (kind, body) in rows {
            self.head = self.head.after(self.now, &kind, body.as_bytes());
            execute!(
                &mut self.tx,
                "INSERT INTO audit (chain, sequence, at, kind, body, hash) VALUES ($1, $2, $3, $4, $5, $6)",
                STORE_CHAIN,
                column(self.head.sequence),
                self.now.as_micros(),
                kind,
                body,
                self.head.hash.to_vec()
            )?;
        }
        Ok(())
    }

    async fn write_meta(&mut self) -> Result<(), ChangeError> {
        execute!(
            &mut self.tx,
            "UPDATE meta SET revision = $1, audit_sequence = $2, audit_hash = $3,
                rules_revision = CASE WHEN $4 THEN $1 ELSE rules_revision END,
                places_revision = CASE WHEN $5 THEN $1 ELSE places_revision END,
                revoked_revision = CASE WHEN $6 THEN $1 ELSE revoked_revision END
             WHERE one = 1",
            column(self.revision),
            column(self.head.sequence),
            self.head.hash.to_vec(),
            self.parts.rules,
            self.parts.places,
            self.parts.revoked
        )?;
        if let Tx::Postgres(_) = &self.tx {
            execute!(&mut self.tx, "SELECT pg_notify($1, $2)", CHANNEL, self.revision.to_string())?;
        }
        Ok(())
    }
}
