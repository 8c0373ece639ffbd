//! The change feed: tells a gateway that the revision moved, and what moved, within a second.

use crate::{Kind, Revision, Store};
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// In which revision.
    pub revision: Revision,
    /// What kind of thing.
    pub kind: Kind,
    /// Which one.
    pub id: String,
}

/// What is known about the way from the last revision to this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Every change in between.
    Listed(Vec<Changed>),
    /// Some are missing: whatever was cached by id may be outdated.
    Gap,
}

/// What the feed has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The revision moved forward: load what moved.
    Moved {
        /// The revision in the store.
        revision: Revision,
        /// What changed since the last news.
        changes: Changes,
    },
    /// The store's revision is lower than one already seen, as after a failover that lost commits. Nothing may be applied.
    Regressed {
        /// The highest revision seen.
        seen: Revision,
        /// The revision in the store.
        found: Revision,
    },
}

/// When the store was last known to hold a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The revision.
    pub revision: Revision,
    /// Just before the store was asked.
    pub at: Instant,
}

/// Wakes the feed early; shared with everything that commits in this process.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    pub(crate) notify: Notify,
}

/// One reader of the feed.
pub struct ChangeFeed {
    store: Store,
    confirmed: watch::Sender<Option<Confirmed>>,
}

impl Store {
    /// A feed that starts after `seen`: the revision of the snapshot that the caller loaded.
    pub fn feed(&self, seen: Revision) -> ChangeFeed {
        let _ = seen;
        todo!()
    }
}

impl ChangeFeed {
    /// Follows when the store last confirmed a revision; `None` until the first answer. Staleness of a snapshot is the
    /// time since the last confirmation of its revision.
    pub fn confirmed(&self) -> watch::Receiver<Option<Confirmed>> {
        self.confirmed.subscribe()
    }

    /// Waits for the next news. Errors of the database are waited out; they show as a confirmation that gets old.
    /// Cancelling loses nothing. News are at least 200 ms apart, except that the first after a pause comes at once.
    pub async fn next(&mut self) -> News {
        let _ = &self.store;
        todo!()
    }
}
