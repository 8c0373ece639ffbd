//! The change feed: tells a gateway that the revision moved, and what moved, within a second.
//!
//! A notification only wakes; the truth is what the next look at the store finds. So a lost notification costs at most
//! the poll interval, and news can never be missed, only bundled.

mod listen;
mod look;

use crate::{Kind, Revision, Store, StoreError, db::Pools};
use listen::Listening;
use look::Look;
use std::time::{Duration, Instant};
use tokio::{sync::watch, task::JoinHandle};

/// The longest time between two looks: what a revocation waits for where no notification arrives.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// News come no faster than this, so that a burst of changes costs few reloads. The first of a burst is not delayed.
const NEWS_EVERY: Duration = Duration::from_millis(200);

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

/// One reader of the feed.
pub struct ChangeFeed {
    store: Store,
    seen: Revision,
    /// The revision that was last reported as a regression; cleared when the store has caught up.
    regressed: Option<Revision>,
    confirmed: watch::Sender<Option<Confirmed>>,
    rung: watch::Receiver<()>,
    looked_at: Option<Instant>,
    told_at: Option<Instant>,
    /// The look that runs. It is kept across a cancelled `next`: a caller that cancels often would otherwise never see
    /// the end of a slow one.
    looking: Option<JoinHandle<Result<Look, StoreError>>>,
    _listening: Option<Listening>,
}

impl Store {
    /// A feed that starts after `seen`: the revision of the snapshot that the caller loaded.
    pub fn feed(&self, seen: Revision) -> ChangeFeed {
        let wake = &self.inner.wake;
        ChangeFeed {
            store: self.clone(),
            seen,
            regressed: None,
            confirmed: watch::Sender::new(None),
            rung: wake.listen(),
            looked_at: None,
            told_at: None,
            looking: None,
            _listening: match &self.inner.pools {
                Pools::Sqlite(_) => None,
                Pools::Postgres(pools) => Some(Listening::start(pools.listener.clone(), wake.clone())),
            },
        }
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
        loop {
            if self.looking.is_none() {
                self.wait().await;
            }
            match self.look().await {
                Ok(Some(news)) => {
                    self.told_at = Some(Instant::now());
                    return news;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %error, "the change feed cannot read the store"),
            }
        }
    }

    /// Finishes the look that runs, or makes one.
    async fn look(&mut self) -> Result<Option<News>, StoreError> {
        if self.looking.is_none() {
            self.looked_at = Some(Instant::now());
            let after = (self.regressed.is_none()).then_some(self.seen);
            self.looking = Some(tokio::spawn(look::look(self.store.clone(), self.seen, after)));
        }
        let Some(looking) = &mut self.looking else { return Ok(None) };
        let done = looking.await;
        self.looking = None;
        let look = done.map_err(|error| StoreError::Unavailable(Box::new(error)))??;
        Ok(self.judge(look))
    }

    /// What a finished look means for a reader that has seen what this one has.
    fn judge(&mut self, look: Look) -> Option<News> {
        let Look { found, changes, asked_at } = look;
        if found < self.seen {
            // Told once for each revision found, not at every poll.
            let is_told = self.regressed.replace(found) == Some(found);
            return (!is_told).then_some(News::Regressed { seen: self.seen, found });
        }
        let moved = found > self.seen || self.regressed.is_some();
        self.seen = found;
        self.regressed = None;
        self.confirmed.send_replace(Some(Confirmed { revision: found, at: asked_at }));
        moved.then_some(News::Moved { revision: found, changes })
    }

    /// Until the last news are old enough, and then until the bell rings or the poll is due.
    async fn wait(&mut self) {
        // The pause comes first: a caller that cancels during it leaves the bell as it found it.
        if let Some(at) = self.told_at {
            tokio::time::sleep_until((at + NEWS_EVERY).into()).await;
        }
        if let Some(at) = self.looked_at {
            let due = tokio::time::sleep_until((at + POLL_EVERY).into());
            tokio::select! {
                () = due => {}
                _ = self.rung.changed() => {}
            }
        }
        // Whatever rang until here is covered by the look that follows.
        self.rung.mark_unchanged();
    }
}
