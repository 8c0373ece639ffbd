//! What opening and recording can come to.

use std::{io, path::PathBuf};

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
    /// The record is longer than any decision within the limits can make it.
    #[error("the record is too long")]
    TooLong,
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
        source: io::Error,
    },
    /// The records are those of another node: the directory was copied.
    #[error("{} belongs to another node", path.display())]
    OtherNode {
        /// The segment.
        path: PathBuf,
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
