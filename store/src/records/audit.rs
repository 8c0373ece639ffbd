//! The audit: hash chains of records, one per node's journal and one, `store`, of administrative changes.

use crate::{
    Store, StoreError,
    chain::Head,
    change::{STORE_CHAIN, column, count},
    db::{Tx, fetch_all, fetch_optional},
};
use postern_ids::Timestamp;

/// Records read per transaction while a chain is verified.
const VERIFIED_AT_ONCE: u32 = 1000;

/// One record of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The chain it belongs to.
    pub chain: String,
    /// Its position in the chain, from 1.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What kind of record.
    pub kind: String,
    /// The record, as JSON.
    pub body: String,
}

/// What verifying one chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every record is there and as it was written.
    Whole {
        /// How many records.
        records: u64,
    },
    /// The first position where a record is missing, altered or out of order.
    Broken {
        /// The position.
        sequence: u64,
    },
}

/// Sequence, time, kind, body, hash.
type Columns = (i64, i64, String, String, Vec<u8>);

async fn page(tx: &mut Tx, chain: &str, after: u64, limit: u32) -> Result<Vec<Columns>, StoreError> {
    Ok(fetch_all!(
        tx,
        Columns,
        "SELECT sequence, at, kind, body, hash FROM audit WHERE chain = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        chain,
        column(after),
        i64::from(limit)
    )?)
}

/// Where the chain of administrative records must end; the other chains are known only to their nodes' journals.
async fn end_of_store_chain(tx: &mut Tx, chain: &str) -> Result<Option<Head>, StoreError> {
    if chain != STORE_CHAIN {
        return Ok(None);
    }
    let row: Option<(i64, Option<Vec<u8>>)> = fetch_optional!(
        tx,
        (i64, Option<Vec<u8>>),
        "SELECT audit_sequence, audit_hash FROM meta WHERE one = 1"
    )?;
    let (sequence, hash) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
    crate::change::head(sequence, hash).map(Some)
}

impl Store {
    /// The names of all chains.
    pub async fn audit_chains(&self) -> Result<Vec<String>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows: Vec<(String,)> =
            fetch_all!(&mut tx, (String,), "SELECT DISTINCT chain FROM audit ORDER BY chain")?;
        Ok(rows.into_iter().map(|(chain,)| chain).collect())
    }

    /// Recomputes a chain from its first record.
    pub async fn verify_audit(&self, chain: &str) -> Result<AuditVerdict, StoreError> {
        let mut head = Head::start(chain);
        loop {
            // One page a transaction: a long chain must not hold a connection for minutes.
            let mut tx = self.inner.pools.read().await?;
            let rows = page(&mut tx, chain, head.sequence, VERIFIED_AT_ONCE).await?;
            if rows.is_empty() {
                return match end_of_store_chain(&mut tx, chain).await? {
                    Some(end) if end.sequence > head.sequence => {
                        Ok(AuditVerdict::Broken { sequence: head.sequence + 1 })
                    }
                    _ => Ok(AuditVerdict::Whole { records: head.sequence }),
                };
            }
            for (sequence, at, kind, body, hash) in rows {
                let next = head.after(Timestamp::from_micros(at), &kind, body.as_bytes());
                if sequence != column(next.sequence) || hash != next.hash {
                    return Ok(AuditVerdict::Broken { sequence: next.sequence });
                }
                head = next;
            }
        }
    }

    /// Records of a chain after a position, in order.
    pub async fn audit_after(
        &self,
        chain: &str,
        sequence: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut tx = self.inner.pools.read().await?;
        let rows = page(&mut tx, chain, sequence, limit).await?;
        let entry = |(sequence, at, kind, body, _): Columns| {
            Ok(AuditEntry {
                chain: chain.to_owned(),
                sequence: count(sequence, "audit.sequence")?,
                at: Timestamp::from_micros(at),
                kind,
                body,
            })
        };
        rows.into_iter().map(entry).collect()
    }
}
