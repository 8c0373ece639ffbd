//! Opening a store: location, lock, schema, master key, in this order.

use crate::{OpenError, db::Pools, feed::Wake, seal::Sealer};
use std::{path::PathBuf, sync::Arc};

/// Where the data lives.
#[derive(Debug, Clone)]
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

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the data lives.
    pub database: Database,
    /// The file with the master key. For an embedded store that is empty it is created (0600); otherwise it must exist.
    pub master_key_file: PathBuf,
    /// Whether to bring the schema up to date, or to refuse an older one.
    pub migrate: bool,
}

/// The open store. Cheap to clone; all clones share the pools.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pools: Pools,
    pub(crate) sealer: Sealer,
    pub(crate) wake: Wake,
}

impl Store {
    /// Opens the store: takes the lock of an embedded one, checks or migrates the schema, proves the master key.
    pub async fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let _ = config;
        todo!()
    }

    /// Whether the database answers within the statement limit; for readiness.
    pub async fn ping(&self) -> Result<(), crate::StoreError> {
        todo!()
    }
}
