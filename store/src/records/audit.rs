//! The audit: hash chains of records, one per node's journal and one, `store`, of administrative changes.

use crate::{Store, StoreError};
use postern_ids::Timestamp;

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

impl Store {
    /// The names of all chains.
    pub async fn audit_chains(&self) -> Result<Vec<String>, StoreError> {
        todo!()
    }

    /// Recomputes a chain from its first record.
    pub async fn verify_audit(&self, chain: &str) -> Result<AuditVerdict, StoreError> {
        let _ = chain;
        todo!()
    }

    /// Records of a chain after a position, in order.
    pub async fn audit_after(
        &self,
        chain: &str,
        sequence: u64,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let _ = (chain, sequence, limit);
        todo!()
    }
}
