//! What can go wrong, by operation: opening the store, reading it, changing it.

use crate::{Kind, Version};
use std::path::PathBuf;

/// Why a read, or the part of a write that is not about its content, did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or did not answer in time. Trying again may help.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not hold what this program writes there.
    #[error("the database holds something unreadable: {what}")]
    Corrupt {
        /// The table, and what is wrong in it.
        what: String,
    },
    /// A sealed value does not open under the master key in its place.
    #[error("a sealed value does not open: {0}")]
    Sealed(#[from] crate::seal::UnsealError),
}

impl StoreError {
    pub(crate) fn corrupt(table: &str, what: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: format!("{table}: {what}") }
    }
}

/// Why a change was refused. Nothing of its transaction remains.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The object is not at the version that the caller saw, or exists where the caller meant to create it.
    #[error("{kind} {id} was changed by somebody else")]
    Conflict {
        /// What kind of object.
        kind: Kind,
        /// Its id.
        id: String,
        /// The version it has, if it exists.
        found: Option<Version>,
    },
    /// There is no such object.
    #[error("there is no {kind} {id}")]
    Missing {
        /// What kind of object.
        kind: Kind,
        /// The id that was asked for.
        id: String,
    },
    /// Another object has this name, or another unique property.
    #[error("another {kind} has this name or key already: {id}")]
    Taken {
        /// What kind of object.
        kind: Kind,
        /// The id of the refused object.
        id: String,
    },
    /// The object refers to one that does not exist, or is still referred to.
    #[error("{kind} {id} is still referred to, or refers to something that does not exist")]
    Referenced {
        /// What kind of object.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// The change would leave no enabled member in the group of owners.
    #[error("at least one enabled owner must remain")]
    LastOwner,
    /// A built-in object cannot be removed or renamed.
    #[error("{kind} {id} is built in")]
    BuiltIn {
        /// What kind of object.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// There are as many as there may be.
    #[error("there are {max} of the kind {kind} already")]
    TooMany {
        /// What kind of object.
        kind: Kind,
        /// How many there may be.
        max: u32,
    },
    /// An earlier step of this change was refused, so the rest of it must not become durable either.
    #[error("an earlier step of this change was refused")]
    Failed,
    /// The database did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store did not open. Every variant says what to do in its text.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database URL or path is not usable.
    #[error("the store's location is not usable: {0}")]
    Location(String),
    /// Another process has the embedded database.
    #[error("another process uses this store: {} is locked", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The state directory or a file in it cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The schema was made by a newer program.
    #[error(
        "the store has schema {found}, this program knows only up to {known}: run the newer program, or restore a backup"
    )]
    SchemaTooNew {
        /// The newest migration in the database.
        found: i64,
        /// The newest migration in this program.
        known: i64,
    },
    /// The schema is older than this program needs, and migrating was not asked for.
    #[error("the store has schema {found}, this program needs {known}: run `postern-gateway migrate`")]
    SchemaTooOld {
        /// The newest migration in the database; 0 when there is none.
        found: i64,
        /// The newest migration in this program.
        known: i64,
    },
    /// A migration failed or was changed after it had been applied.
    #[error("the schema cannot be brought up to date")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The master key is missing, readable by others, malformed, or not the one of this store.
    #[error(transparent)]
    MasterKey(#[from] crate::seal::MasterKeyError),
    /// The database cannot be reached or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
