//! The node's journal: every record is durable here before anything happens, and is shipped to the store afterwards.
//!
//! One file at a time, one thread that writes: records that arrive while a sync runs form the next group, so the cost of
//! a sync is shared. A slow or absent database changes nothing here. A journal that cannot sync admits nobody.

use postern_ids::{ConnectorId, Ended, NodeId, SessionId, Timestamp};
use postern_policy::{Deny, Permit};
use std::path::{Path, PathBuf};

/// What the gateway knows about a session beside its permit.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The way in: `client`, later `browser`.
    pub ingress: &'static str,
    /// The connector that will carry it, if chosen already.
    pub connector: Option<ConnectorId>,
    /// When it is admitted.
    pub at: Timestamp,
}

/// How a session ended.
#[derive(Debug, Clone, Copy)]
pub struct SessionEnd {
    /// Which session.
    pub session: SessionId,
    /// How.
    pub ended: Ended,
    /// Bytes from the principal to the target.
    pub bytes_up: u64,
    /// Bytes from the target to the principal.
    pub bytes_down: u64,
    /// When.
    pub at: Timestamp,
}

/// The proof that an allow is on disk. Made only by [`Journal::record`]; whoever holds it may splice once.
#[derive(Debug)]
pub struct Admitted {
    permit: Permit,
    sequence: u64,
}

impl Admitted {
    /// The permit that was recorded.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The record's position in the node's chain.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Why an allow is not on disk, so that no session may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// Writing or syncing failed; the journal tries to recover on its own.
    #[error("the journal cannot write")]
    Failing,
    /// The unshipped records have reached their limit on disk.
    #[error("the journal is full of records that the store has not taken")]
    Full,
    /// The disk did not take the record in time.
    #[error("the journal is too slow")]
    Slow,
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Whole records found on disk.
    pub records: u64,
    /// The last position in the chain; 0 for an empty journal.
    pub last_sequence: u64,
    /// A torn tail that was cut: the file and the bytes cut from it.
    pub cut: Option<(PathBuf, u64)>,
}

/// Why a journal did not open.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or a file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A record that had been synced is damaged. Records after it cannot be trusted.
    #[error("{} is damaged at byte {offset}: move the file away to start without its records", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
}

/// The body of a recorded decision, as JSON.
#[derive(serde::Deserialize)]
pub(crate) struct DecisionBody {
    pub(crate) decision: postern_policy::DecisionRecord,
}

/// The handle; clones share the journal.
#[derive(Clone)]
pub struct Journal {}

impl Journal {
    /// Recovers the journal in `dir` and starts its thread.
    pub fn open(dir: &Path, node: NodeId) -> Result<(Self, RecoveryReport), JournalError> {
        let _ = (dir, node);
        todo!()
    }

    /// Makes an allow durable. Only with the answer may the session start. If the caller goes away while waiting, the
    /// journal itself records that the session never opened.
    pub async fn record(&self, permit: Permit, facts: SessionFacts) -> Result<Admitted, NotRecorded> {
        let _ = (permit, facts);
        todo!()
    }

    /// Records a denial, without waiting. Denials beyond the rate are counted, and the count is recorded.
    pub fn denied(&self, deny: &Deny) {
        let _ = deny;
        todo!()
    }

    /// Records the end of an admitted session, without waiting. Never dropped: there is one for each admitted session.
    pub fn ended(&self, end: SessionEnd) {
        let _ = end;
        todo!()
    }

    /// Whether records can be made durable at this moment; for readiness.
    pub fn is_healthy(&self) -> bool {
        todo!()
    }

    /// Ships records to the store, in order and in batches, until cancelled. Errors of the database are waited out.
    pub async fn ship(&self, store: crate::Store, stop: tokio_util::sync::CancellationToken) {
        let _ = (store, stop);
        todo!()
    }

    /// Writes what is queued, syncs, and stops the thread.
    pub fn close(&self) {
        todo!()
    }
}
