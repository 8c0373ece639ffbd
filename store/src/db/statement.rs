//! One statement, two databases: each macro expands the same static SQL with the same binds for both arms.

use crate::{ChangeError, Kind, StoreError};
use std::{future::Future, time::Duration};

/// The longest that a caller waits for one statement, connection included. Postgres is told a shorter limit of its own;
/// this one also covers a server that has stopped answering.
pub(crate) const STATEMENT_MAX: Duration = Duration::from_secs(4);

/// What a statement can fail with.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("no answer within {STATEMENT_MAX:?}")]
    Slow,
    #[error(transparent)]
    Sql(sqlx::Error),
}

impl DbError {
    /// Sorts out what the object itself is to blame for.
    pub(crate) fn about(self, kind: Kind, id: &dyn std::fmt::Display) -> ChangeError {
        if let Self::Sql(sqlx::Error::Database(error)) = &self {
            if error.is_unique_violation() {
                return ChangeError::Taken { kind, id: id.to_string() };
            }
            if error.is_foreign_key_violation() {
                return ChangeError::Referenced { kind, id: id.to_string() };
            }
        }
        ChangeError::Store(self.into())
    }
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Sql(sqlx::Error::ColumnDecode { index, source }) => {
                Self::Corrupt { what: format!("column {index}: {source}") }
            }
            other @ (DbError::Slow | DbError::Sql(_)) => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        Self::Store(error.into())
    }
}

/// Waits for a database future no longer than [`STATEMENT_MAX`].
pub(crate) async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DbError> {
    match tokio::time::timeout(STATEMENT_MAX, work).await {
        Ok(done) => done.map_err(DbError::Sql),
        Err(_) => Err(DbError::Slow),
    }
}

/// `fetch_all!(tx, Row, SQL, binds…)`: every row.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                $crate::db::bounded(sqlx::query_as::<sqlx::Sqlite, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx)).await
            }
            $crate::db::Tx::Postgres(tx) => {
                $crate::db::bounded(sqlx::query_as::<sqlx::Postgres, $row>($sql)$(.bind($bind))*.fetch_all(&mut **tx)).await
            }
        }
    };
}

/// `fetch_optional!(tx, Row, SQL, binds…)`: the first row, if any.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                $crate::db::bounded(sqlx::query_as::<sqlx::Sqlite, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx)).await
            }
            $crate::db::Tx::Postgres(tx) => {
                $crate::db::bounded(sqlx::query_as::<sqlx::Postgres, $row>($sql)$(.bind($bind))*.fetch_optional(&mut **tx)).await
            }
        }
    };
}

/// `execute!(tx, SQL, binds…)`: the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::db::Tx::Sqlite(tx) => {
                $crate::db::bounded(sqlx::query::<sqlx::Sqlite>($sql)$(.bind($bind))*.execute(&mut **tx)).await.map(|done| done.rows_affected())
            }
            $crate::db::Tx::Postgres(tx) => {
                $crate::db::bounded(sqlx::query::<sqlx::Postgres>($sql)$(.bind($bind))*.execute(&mut **tx)).await.map(|done| done.rows_affected())
            }
        }
    };
}

pub(crate) use {execute, fetch_all, fetch_optional};
