//! The two databases behind one face: pools, transactions, and statements written once.

mod postgres;
mod sqlite;
mod statement;

pub(crate) use postgres::PgPools;
pub(crate) use sqlite::SqlitePools;
pub(crate) use statement::{DbError, bounded, execute, fetch_all, fetch_optional};

use crate::StoreError;
use sqlx::{Postgres, Sqlite, Transaction};

/// The pools of whichever database is used.
pub(crate) enum Pools {
    Sqlite(SqlitePools),
    Postgres(PgPools),
}

/// One transaction.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Pools {
    /// Begins a transaction that only reads, and sees one state of the database throughout.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        let begun = match self {
            Self::Sqlite(pools) => bounded(pools.read.begin()).await.map(Tx::Sqlite),
            Self::Postgres(pools) => {
                bounded(pools.main.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
                    .await
                    .map(Tx::Postgres)
            }
        };
        Ok(begun?)
    }

    /// Begins a transaction that writes. On SQLite it holds the write lock from here on.
    pub(crate) async fn write(&self) -> Result<Tx, StoreError> {
        let begun = match self {
            Self::Sqlite(pools) => bounded(pools.write.begin_with("BEGIN IMMEDIATE")).await.map(Tx::Sqlite),
            Self::Postgres(pools) => bounded(pools.main.begin()).await.map(Tx::Postgres),
        };
        Ok(begun?)
    }
}

impl Tx {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let done = match self {
            Self::Sqlite(tx) => bounded(tx.commit()).await,
            Self::Postgres(tx) => bounded(tx.commit()).await,
        };
        Ok(done?)
    }

    pub(crate) async fn rollback(self) -> Result<(), StoreError> {
        let done = match self {
            Self::Sqlite(tx) => bounded(tx.rollback()).await,
            Self::Postgres(tx) => bounded(tx.rollback()).await,
        };
        Ok(done?)
    }
}
