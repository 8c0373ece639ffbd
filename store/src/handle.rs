//! The open store, as every operation on it finds it.

use crate::{
    db::Pools,
    seal::{MasterKeys, Seals},
    wake::Wake,
};
use std::sync::Arc;

/// The open store. Cheap to clone; all clones share the pools.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) pools: Pools,
    pub(crate) seals: Seals,
    pub(crate) wake: Wake,
}

impl Store {
    pub(crate) fn new(pools: Pools, keys: MasterKeys) -> Self {
        let seals = Seals::new(keys);
        Self { inner: Arc::new(Inner { pools, seals, wake: Wake::default() }) }
    }

    /// Closes the connections, after what runs on them. An embedded store may then be opened again.
    pub async fn close(&self) {
        match &self.inner.pools {
            Pools::Sqlite(pools) => pools.close().await,
            Pools::Postgres(pools) => {
                pools.listener.close().await;
                pools.main.close().await;
            }
        }
    }
}
