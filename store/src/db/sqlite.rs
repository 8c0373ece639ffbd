//! The embedded database: one file, one process, one writer.

use super::{bounded, statement::DbError};
use crate::OpenError;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Readers that may run beside the writer.
const READERS_MAX: u32 = 4;
/// How long a caller waits for its turn to write; an admin change takes milliseconds.
const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// Only the writer's own checkpoints can hold a lock against it.
const BUSY_MAX: Duration = Duration::from_secs(2);

/// One connection that writes, a few that read, and the lock that keeps other processes out.
pub(crate) struct SqlitePools {
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
    /// Held until `close`; the system releases it when the process dies, however it dies.
    lock: Mutex<Option<File>>,
}

impl SqlitePools {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_MAX)
            .foreign_keys(true);
        let write = pool(1).connect_with(options.clone());
        let write = bounded(write).await.map_err(unusable)?;
        let read =
            pool(READERS_MAX).connect_with(options.create_if_missing(false).pragma("query_only", "ON"));
        let read = bounded(read).await.map_err(unusable)?;
        Ok(Self { write, read, lock: Mutex::new(Some(lock)) })
    }

    /// Closes every connection, then lets go of the lock.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn unusable(error: DbError) -> OpenError {
    OpenError::Store(error.into())
}

fn pool(connections_max: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// SQLite's own locks admit several processes; two gateways on one file would each believe they own it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |source| OpenError::File { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
