//! Opening a store: location, lock, schema, master key, in this order.

use crate::{
    Actor, Expect, OpenError, Store, StoreError,
    db::{PgPools, Pools, SqlitePools},
    master_keys, schema,
};
use postern_ids::Timestamp;
use postern_policy::{
    admin::{OWNERS, OWNERS_NAME},
    model::Group,
};
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

impl Store {
    /// Opens the store: takes the lock of an embedded one, checks or migrates the schema, proves the master key.
    pub async fn open(config: StoreConfig, now: Timestamp) -> Result<Self, OpenError> {
        let pools = match &config.database {
            Database::Sqlite { path } => Pools::Sqlite(SqlitePools::open(path).await?),
            Database::Postgres { url } => Pools::Postgres(PgPools::open(url).await?),
        };
        schema::prepare(&pools, config.migrate).await?;
        let keys = master_keys::prove(&pools, &config).await?;
        let store = Self::new(pools, keys);
        store.seed(now).await?;
        Ok(store)
    }

    /// What every installation has from the start.
    async fn seed(&self, now: Timestamp) -> Result<(), OpenError> {
        if self.find::<Group>(&OWNERS).await?.is_some() {
            return Ok(());
        }
        let name = OWNERS_NAME.parse().map_err(|_| StoreError::corrupt("groups", "the built-in name"))?;
        let owners = Group { id: OWNERS, name, parents: Vec::new() };
        let mut change = self.change(Actor::system("seed"), now).await?;
        // Another gateway may be starting on the same empty store: whoever comes second finds the group.
        let seeded = match change.put(&owners, Expect::Any).await {
            Ok(_) => change.commit().await.map(drop),
            Err(error) => Err(error),
        };
        seeded.map_err(|error| OpenError::Store(StoreError::Unavailable(Box::new(error))))
    }
}
