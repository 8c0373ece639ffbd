//! Which errors of opening a store cure themselves.

use crate::{OpenError, StoreError, db::DbError};

impl OpenError {
    /// Whether the same store may open a moment later: the database is busy, restarting, or not reached. Wrong credentials, a
    /// database that does not exist, a schema or a key do not cure themselves.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(StoreError::Unavailable(cause)) => passes(cause.as_ref()).unwrap_or(true),
            Self::Migration(cause) => passes(cause.as_ref()).unwrap_or(false),
            Self::Store(StoreError::Corrupt { .. } | StoreError::Sealed(_))
            | Self::Location(_)
            | Self::Locked { .. }
            | Self::File { .. }
            | Self::SchemaTooNew { .. }
            | Self::SchemaTooOld { .. }
            | Self::MasterKey(_) => false,
        }
    }
}

/// What the database's own word in a chain of causes says, if there is one.
fn passes(error: &(dyn std::error::Error + 'static)) -> Option<bool> {
    let of_statement = error.downcast_ref().map(|error| match error {
        DbError::Slow => true,
        DbError::Sql(error) => sql_passes(error),
    });
    let said = of_statement.or_else(|| error.downcast_ref().map(sql_passes));
    said.or_else(|| error.source().and_then(passes))
}

fn sql_passes(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, WorkerCrashed};
    if let Database(error) = error {
        // SQLSTATE: a transaction that lost a race, too many connections or no memory, a lock or statement that took too
        // long, a server that starts or stops.
        let code = error.code().unwrap_or_default();
        return ["40", "53", "55P03", "57"].iter().any(|class| code.starts_with(class));
    }
    matches!(error, PoolTimedOut | PoolClosed | Io(_) | WorkerCrashed)
}
