//! A store in a directory of its own, for the unit tests of this room.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::policies::wall_clock;
use postern_store::{Database, Store, StoreConfig};
use tempfile::TempDir;

/// Opens one; it lies in the directory, which goes with its value.
pub(super) async fn open() -> (Store, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        database: Database::Sqlite { path: dir.path().join("store.db") },
        master_key_file: dir.path().join("master.key"),
        previous_master_key_files: Vec::new(),
        migrate: true,
    };
    (Store::open(config, wall_clock()).await.unwrap(), dir)
}
