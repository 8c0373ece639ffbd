//! Opening a store: location, lock, schema, master key, in this order.

use crate::{
    Actor, Database, Expect, OpenError, Store, StoreConfig, StoreError,
    db::{PgPools, Pools, SqlitePools},
    master_keys, schema,
};
use postern_ids::Timestamp;
use postern_policy::{
    admin::{OWNERS, OWNERS_NAME},
    model::Group,
};

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
