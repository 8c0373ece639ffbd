//! Ends sessions of the process before this one that nobody saw end, once everything it recorded is in the store.
//!
//! A session that cannot be resumed is lost with its process. One that can be resumed may live on: it waits at its connector
//! for the window. By then it has been resumed somewhere, which moved it; or it came back to this gateway, which will see
//! its end; or another gateway was told how it ended; or it is lost.

use super::{ShipError, Shipper};
use crate::{
    StoreError,
    journal::{
        SessionEnd,
        queue::{Entry, Queue},
    },
};
use postern_ids::{Ended, Timestamp};
use std::{
    future::pending,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep_until};

/// Where the sweeping stands.
pub(super) enum Sweeper {
    /// Nothing was swept.
    Fresh { resumable_at: Instant },
    /// Those that cannot be resumed were.
    Plain { resumable_at: Instant },
    /// All were.
    Done,
}

impl Sweeper {
    pub(super) fn new(wait: Duration) -> Self {
        Self::Fresh { resumable_at: Instant::now() + wait }
    }

    /// Returns when there is something to sweep, which may be never.
    pub(super) async fn next(&self) {
        match self {
            Self::Fresh { .. } => {}
            Self::Plain { resumable_at } => sleep_until(*resumable_at).await,
            Self::Done => pending().await,
        }
    }

    /// Sweeps what it is time for.
    pub(super) async fn sweep(&mut self, shipper: &Shipper) -> Result<(), ShipError> {
        if let Self::Fresh { resumable_at } = *self {
            end_as_lost(shipper, false).await?;
            *self = Self::Plain { resumable_at };
        }
        if let Self::Plain { resumable_at } = *self
            && resumable_at <= Instant::now()
        {
            end_as_lost(shipper, true).await?;
            *self = Self::Done;
        }
        Ok(())
    }
}

async fn end_as_lost(shipper: &Shipper, resumable: bool) -> Result<(), StoreError> {
    let (store, chain) = (&shipper.store, &shipper.chain);
    let at = Timestamp::from_system(SystemTime::now());
    for (session, generation) in store.unended_before(shipper.node, chain, shipper.recovered).await? {
        if (generation > 0) != resumable || (shipper.sweep.is_held)(session) {
            continue;
        }
        let ended = Ended::Lost;
        let end = SessionEnd { session, generation, ended, bytes_up: 0, bytes_down: 0, at };
        give(&shipper.queue, end);
    }
    Ok(())
}

/// A journal that is closing leaves them to the next start.
fn give(queue: &Queue, end: SessionEnd) {
    drop(queue.push(Entry::End(end)));
}
