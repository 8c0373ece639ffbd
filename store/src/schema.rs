//! The schema's migrations: embedded, applied under a lock, and never older or newer than this program without saying so.

use crate::{OpenError, db::Pools};
use sqlx::{
    SqlStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use std::borrow::Cow;

/// `(version, description, statements)`; the same for both databases.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "base", include_str!("../../migrations/0001_base.sql")),
    (2, "resume", include_str!("../../migrations/0002_resume.sql")),
    (3, "providers", include_str!("../../migrations/0003_providers.sql")),
    (4, "app_tokens", include_str!("../../migrations/0004_app_tokens.sql")),
    (5, "sign-in use", include_str!("../../migrations/0005_sign_in_use.sql")),
    (6, "nodes", include_str!("../../migrations/0006_nodes.sql")),
    (7, "sign in proof", include_str!("../../migrations/0007_sign_in_proof.sql")),
    (8, "master keys", include_str!("../../migrations/0008_master_keys.sql")),
];

fn migrator(locking: bool) -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(version, description, sql)| {
            let description = Cow::Borrowed(description);
            Migration::new(version, description, MigrationType::Simple, SqlStr::from_static(sql), false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    // An unknown newer schema is told apart below, with a text that says what to do.
    migrator.set_ignore_missing(true).set_locking(locking);
    migrator
}

/// The newest migration of this program.
pub(crate) fn known() -> i64 {
    MIGRATIONS.iter().map(|&(version, ..)| version).max().unwrap_or(0)
}

/// Brings the schema up to date, or only checks it. An embedded store is alone by its lock file; gateways that share a
/// Postgres take turns by an advisory lock.
pub(crate) async fn prepare(pools: &Pools, migrate: bool) -> Result<(), OpenError> {
    let found = found(pools).await?;
    if found > known() {
        return Err(OpenError::SchemaTooNew { found, known: known() });
    }
    if !migrate {
        return if found == known() {
            Ok(())
        } else {
            Err(OpenError::SchemaTooOld { found, known: known() })
        };
    }
    match pools {
        Pools::Sqlite(pools) => migrator(false).run(&pools.write).await,
        Pools::Postgres(pools) => migrator(true).run(&pools.main).await,
    }
    .map_err(|error: MigrateError| OpenError::Migration(Box::new(error)))
}

/// The newest migration in the database; 0 when there is none.
async fn found(pools: &Pools) -> Result<i64, OpenError> {
    let mut tx = pools.read().await?;
    let table = match &mut tx {
        crate::db::Tx::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
        crate::db::Tx::Postgres(_) => {
            "SELECT COUNT(*) FROM pg_tables WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()"
        }
    };
    let present: Option<(i64,)> =
        crate::db::fetch_optional!(&mut tx, (i64,), table).map_err(crate::StoreError::from)?;
    if present.is_none_or(|(count,)| count == 0) {
        return Ok(0);
    }
    let newest: Option<(Option<i64>,)> =
        crate::db::fetch_optional!(&mut tx, (Option<i64>,), "SELECT MAX(version) FROM _sqlx_migrations")
            .map_err(crate::StoreError::from)?;
    Ok(newest.and_then(|(version,)| version).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (index, &(version, ..)) in (1..).zip(MIGRATIONS) {
            assert_eq!(version, index);
        }
    }
}
