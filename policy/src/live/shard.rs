//! A part of the table behind one lock, with its own timers.

use super::entry::Entry;
use postern_ids::{SessionId, Timestamp};
use std::collections::{BTreeSet, HashMap};

/// Some of the live sessions and when to look at each again.
#[derive(Debug)]
pub(super) struct Shard<H> {
    entries: HashMap<SessionId, Entry<H>>,
    timers: BTreeSet<(Timestamp, SessionId)>,
    fails_closed: usize,
}

impl<H> Default for Shard<H> {
    fn default() -> Self {
        Self { entries: HashMap::new(), timers: BTreeSet::new(), fails_closed: 0 }
    }
}

impl<H> Shard<H> {
    pub(super) fn insert(&mut self, entry: Entry<H>) -> Option<Entry<H>> {
        let earlier = self.remove(entry.session());
        self.arm(&entry);
        self.entries.insert(entry.session(), entry);
        earlier
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Entry<H>> {
        let entry = self.entries.remove(&session)?;
        self.disarm(&entry);
        // A burst of sessions gives its memory back.
        if self.entries.capacity() > 64 && self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        Some(entry)
    }

    pub(super) fn get(&self, session: SessionId) -> Option<&Entry<H>> {
        self.entries.get(&session)
    }

    /// Changes a session and keeps its timer right.
    pub(super) fn change<T>(
        &mut self,
        session: SessionId,
        change: impl FnOnce(&mut Entry<H>) -> T,
    ) -> Option<T> {
        let mut entry = self.entries.remove(&session)?;
        self.disarm(&entry);
        let out = change(&mut entry);
        self.arm(&entry);
        self.entries.insert(session, entry);
        Some(out)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<H>> {
        self.entries.values()
    }

    /// Every session, for changes that move no timer.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<H>> {
        self.entries.values_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// The sessions whose boundary has come.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = SessionId> {
        self.timers.iter().take_while(move |&&(at, _)| at <= now).map(|&(_, session)| session)
    }

    /// Whether some session ends with a long outage.
    pub(super) fn fails_closed(&self) -> bool {
        self.fails_closed > 0
    }

    fn arm(&mut self, entry: &Entry<H>) {
        if entry.recheck_at < Timestamp::MAX {
            self.timers.insert((entry.recheck_at, entry.session()));
        }
        self.fails_closed += usize::from(entry.fails_closed);
    }

    fn disarm(&mut self, entry: &Entry<H>) {
        self.timers.remove(&(entry.recheck_at, entry.session()));
        self.fails_closed -= usize::from(entry.fails_closed);
    }
}
