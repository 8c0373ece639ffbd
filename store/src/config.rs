//! What a store is opened with.

use std::path::PathBuf;

/// Where the data lives.
#[derive(Clone)]
pub enum Database {
    /// One file, embedded; one process at a time.
    Sqlite {
        /// The database file; its directory must exist.
        path: PathBuf,
    },
    /// A Postgres server, shared by all gateways.
    Postgres {
        /// `postgres://user:password@host:port/database`; never logged.
        url: String,
    },
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            Self::Postgres { .. } => f.debug_struct("Postgres").finish_non_exhaustive(),
        }
    }
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the data lives.
    pub database: Database,
    /// The file with the master key. For an embedded store that is empty it is created (0600); otherwise it must exist.
    pub master_key_file: PathBuf,
    /// Files with the master keys before it, while it is changed: what was sealed under them still opens.
    pub previous_master_key_files: Vec<PathBuf>,
    /// Whether to bring the schema up to date, or to refuse an older one.
    pub migrate: bool,
}
