//! Brings the journal's records to the store, in order, and removes the files that are not needed any more.
//!
//! It reads what is durable back from the disk, so nothing here holds up a session: neither memory nor the database.

mod batch;
mod rows;
mod sessions;
mod statement;
mod sweep;

use super::{
    Sweep,
    queue::Queue,
    read::{Cursor, ReadError, Record},
    status::Status,
};
use crate::{Store, StoreError, chain::Hash};
use postern_ids::NodeId;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use sweep::Sweeper;
use tokio_util::sync::CancellationToken;

/// Records in one transaction.
const BATCH_MAX: usize = 1000;
/// The shortest pause between two transactions: records that come singly are shipped in company.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// A pause is at least this many times as long as the work before it, so shipping takes at most a fifth of one core and
/// leaves the database to others.
const PAUSE_PER_WORK: u32 = 4;
/// How long to leave a database alone that refused.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why shipping cannot go on as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store has other records under this chain: the state directory was copied or set back.
    #[error(
        "the store holds another history of this node's chain at {sequence}: was the state directory copied or restored?"
    )]
    Forked { sequence: u64 },
}

/// Where a chain stands in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
}

/// One journal's way to the store.
pub(crate) struct Shipper {
    pub(crate) store: Store,
    pub(crate) status: Arc<Status>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) node: NodeId,
    pub(crate) chain: String,
    /// The last position of the process before this one.
    pub(crate) recovered: u64,
    /// What to do about sessions of that process.
    pub(crate) sweep: Sweep,
}

impl Shipper {
    /// Ships until stopped. What only time can mend is waited out; a fork needs a person.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut sweeper = Sweeper::new(self.sweep.wait);
        let mut cursor = None;
        while !stop.is_cancelled() {
            let done = match self.turn(&mut cursor, &mut sweeper).await {
                Ok(pause) => pause,
                Err(error @ ShipError::Forked { .. }) => {
                    tracing::error!(error = %error, chain = self.chain, "records of this node are not shipped");
                    return;
                }
                Err(error @ (ShipError::Store(_) | ShipError::Read(_))) => {
                    tracing::warn!(error = %error, "records stay in the journal for now");
                    // Whatever was read and not stored is read again.
                    cursor = None;
                    RETRY_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(done) => {}
            }
            if cursor.as_ref().is_some_and(|c: &Cursor| c.head.sequence >= *self.status.durable.borrow()) {
                self.wait_for_more(&stop, &cursor, &sweeper).await;
            }
        }
    }

    async fn wait_for_more(&self, stop: &CancellationToken, cursor: &Option<Cursor>, sweeper: &Sweeper) {
        let read = cursor.as_ref().map_or(0, |cursor| cursor.head.sequence);
        let mut durable = self.status.durable.subscribe();
        tokio::select! {
            () = stop.cancelled() => {}
            () = sweeper.next() => {}
            _ = durable.wait_for(|durable| *durable > read) => {}
        }
    }

    /// One batch; gives how long to rest after it.
    async fn turn(&self, cursor: &mut Option<Cursor>, sweeper: &mut Sweeper) -> Result<Duration, ShipError> {
        let began = Instant::now();
        let mut reading = match cursor.take() {
            Some(cursor) => cursor,
            None => self.find_place().await?,
        };
        let records = self.read(&mut reading).await?;
        if !records.is_empty() {
            self.store.ship(&self.chain, self.node, &records).await?;
        }
        self.remove_shipped(reading.head.sequence);
        if reading.head.sequence >= self.recovered {
            sweeper.sweep(self).await?;
        }
        *cursor = Some(reading);
        Ok(PAUSE_MIN.max(began.elapsed() * PAUSE_PER_WORK))
    }

    async fn read(&self, cursor: &mut Cursor) -> Result<Vec<Record>, ShipError> {
        let (mut moved, segments) = (cursor.clone(), self.status.segments());
        let durable = *self.status.durable.borrow();
        let read = move || moved.read(&segments, durable, BATCH_MAX).map(|records| (moved, records));
        let done = tokio::task::spawn_blocking(read).await;
        let (moved, records) = done.map_err(|error| StoreError::Unavailable(Box::new(error)))??;
        *cursor = moved;
        Ok(records)
    }

    /// Reads up to where the store is, and proves on the way that the store's records are this journal's.
    async fn find_place(&self) -> Result<Cursor, ShipError> {
        let stored = self.store.chain_end(&self.chain).await?;
        let segments = self.status.segments();
        let oldest = segments.first().ok_or(ReadError::Missing { sequence: 1 })?;
        let Some(stored) = stored else { return Ok(Cursor::at_start(oldest)) };
        if stored.sequence < oldest.start.sequence {
            tracing::error!(
                chain = self.chain,
                from = stored.sequence + 1,
                to = oldest.start.sequence,
                "records were neither shipped nor kept: the audit has a gap"
            );
            return Ok(Cursor::at_start(oldest));
        }
        let forked = ShipError::Forked { sequence: stored.sequence };
        let Some(from) = segments.iter().rfind(|segment| segment.start.sequence <= stored.sequence) else {
            return Err(forked);
        };
        let mut cursor = Cursor::at_start(from);
        while cursor.head.sequence < stored.sequence {
            let left =
                usize::try_from(stored.sequence - cursor.head.sequence).unwrap_or(BATCH_MAX).min(BATCH_MAX);
            let durable = *self.status.durable.borrow();
            if cursor.read(&segments, durable, left)?.is_empty() {
                return Err(forked);
            }
        }
        if cursor.head.hash == stored.hash { Ok(cursor) } else { Err(forked) }
    }

    fn remove_shipped(&self, shipped: u64) {
        for segment in self.status.take_shipped(shipped) {
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(error = %error, file = %segment.path.display(), "a shipped segment could not be removed");
            }
        }
    }
}
