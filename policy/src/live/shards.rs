//! The table's memory: shards, each behind its own lock.

use super::shard::Shard;
use postern_ids::SessionId;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks in the table: enough that eight cores seldom meet.
const SHARDS: usize = 64;

/// All live sessions, spread over locks.
#[derive(Debug)]
pub(super) struct Shards<H>(Box<[Mutex<Shard<H>>]>);

impl<H> Default for Shards<H> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(Shard::default())).collect())
    }
}

impl<H> Shards<H> {
    /// The shard that a session stands in, locked.
    pub(super) fn shard(&self, session: SessionId) -> MutexGuard<'_, Shard<H>> {
        // The last byte of a UUIDv7 is random.
        let [.., last] = session.to_bytes();
        let shard = &self.0[usize::from(last) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every shard, locked one after the other.
    pub(super) fn locked(&self) -> impl Iterator<Item = MutexGuard<'_, Shard<H>>> {
        self.0.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
