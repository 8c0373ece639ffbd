//! Opening a store: location, lock, schema, master key, in this order.

use crate::{
    Actor, Expect, OpenError, Store, StoreError,
    db::{PgPools, Pools, SqlitePools, execute, fetch_optional},
    schema,
    seal::{self, MasterKeyError, Place, Sealer},
};
use postern_ids::Timestamp;
use postern_policy::{
    admin::{OWNERS, OWNERS_NAME},
    model::Group,
};
use std::path::{Path, PathBuf};

/// Sealed once into a store, so that a wrong master key is found at start and not at the first use.
const SEAL_CHECK: Place<'_> = Place { table: "meta", id: "1", column: "seal_check" };

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
        let sealer = prove_master_key(&pools, &config.master_key_file).await?;
        let store = Self::new(pools, sealer);
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

/// The key must be the one that the store was sealed under. It is made only for an embedded store that never had one.
async fn prove_master_key(pools: &Pools, path: &Path) -> Result<Sealer, OpenError> {
    let sealed = seal_check(pools).await?;
    let key = match (seal::read(path)?, &sealed, pools) {
        (Some(key), _, _) => key,
        (None, None, Pools::Sqlite(_)) => seal::create(path)?,
        (None, Some(_), _) | (None, None, Pools::Postgres(_)) => {
            return Err(MasterKeyError::Missing { path: path.to_owned() }.into());
        }
    };
    let sealer = Sealer::new(&key);
    let sealed = match sealed {
        Some(sealed) => sealed,
        None => first_seal_check(pools, &sealer).await?,
    };
    match sealer.open(SEAL_CHECK, &sealed) {
        Ok(_) => Ok(sealer),
        Err(_) => Err(MasterKeyError::Wrong { path: path.to_owned() }.into()),
    }
}

async fn seal_check(pools: &Pools) -> Result<Option<Vec<u8>>, StoreError> {
    let mut tx = pools.read().await?;
    let row: Option<(Option<Vec<u8>>,)> =
        fetch_optional!(&mut tx, (Option<Vec<u8>>,), "SELECT seal_check FROM meta WHERE one = 1")?;
    Ok(row.and_then(|(sealed,)| sealed))
}

/// Of gateways that start on the same empty store the first one wins; the others must have the same key.
async fn first_seal_check(pools: &Pools, sealer: &Sealer) -> Result<Vec<u8>, StoreError> {
    let mut tx = pools.write().await?;
    execute!(
        &mut tx,
        "UPDATE meta SET seal_check = $1 WHERE one = 1 AND seal_check IS NULL",
        sealer.seal(SEAL_CHECK, b"postern")
    )?;
    tx.commit().await?;
    seal_check(pools).await?.ok_or_else(|| StoreError::corrupt("meta.seal_check", "missing"))
}
