//! Loads what a policy snapshot is made of; each part is read whole, and only when its revision moved.

use crate::{Store, StoreError};
use postern_ids::Timestamp;
use postern_policy::SnapshotSource;

/// Keeps the parts of the last load.
pub struct SnapshotLoader {
    store: Store,
}

impl Store {
    /// A loader that holds nothing yet.
    pub fn snapshot_loader(&self) -> SnapshotLoader {
        SnapshotLoader { store: self.clone() }
    }

    /// Reads everything a snapshot needs, as of one revision.
    pub async fn snapshot_source(&self, now: Timestamp) -> Result<SnapshotSource, StoreError> {
        self.snapshot_loader().load(now).await
    }
}

impl SnapshotLoader {
    /// Reads the parts that moved since the last load, all as of one revision.
    pub async fn load(&mut self, now: Timestamp) -> Result<SnapshotSource, StoreError> {
        let _ = (&self.store, now);
        todo!()
    }
}
