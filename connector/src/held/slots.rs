//! What stands in the table of streams, as plain data: how long streams are remembered that are over, and how many.

use super::{past::Past, standing::Stream};
use postern_ids::StreamId;
use postern_tunnel_io::stream::StreamConfig;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};
use tokio::sync::Notify;

/// What streams are held under.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This process, as streams name it.
    pub instance: [u8; 16],
    /// Their limits and their window; one budget for all.
    pub config: StreamConfig,
    /// Streams that are over and remembered. Beyond that the oldest are forgotten early, or where a grant of theirs could
    /// open them again, no new ones are opened.
    pub remembered_max: usize,
}

#[derive(Debug, Default)]
pub(super) struct Slots {
    pub(super) by_id: HashMap<StreamId, Slot>,
    /// Those that are over, with the time that they are remembered until.
    over: BTreeSet<(Instant, StreamId)>,
    /// The process is stopping: no client can come back.
    pub(super) is_stopping: bool,
}

#[derive(Debug)]
pub(super) enum Slot {
    /// The target is being dialed; who else wants the stream waits here.
    Opening(Arc<Notify>),
    /// It runs.
    Held(Box<Stream>),
    /// It is over.
    Past(Box<Past>),
}

impl Slots {
    /// Gives what is to be dropped without the lock.
    pub(super) fn remember(
        &mut self,
        id: StreamId,
        past: Past,
        settings: &Settings,
        now: Instant,
    ) -> Vec<Slot> {
        self.over.insert((past.until(settings.config.window), id));
        let before = self.by_id.insert(id, Slot::Past(Box::new(past)));
        let mut gone = self.forget(settings, now);
        gone.extend(before);
        gone
    }

    /// Somebody asks for a stream that is over, with a grant until then.
    pub(super) fn grant_past(&mut self, id: StreamId, until: Instant, settings: &Settings) {
        if let Some(Slot::Past(past)) = self.by_id.get_mut(&id) {
            let window = settings.config.window;
            self.over.remove(&(past.until(window), id));
            past.set_granted(until);
            self.over.insert((past.until(window), id));
        }
    }

    /// Takes out what nobody can ask for any more, and at the limit what nothing can open again; to be dropped without the
    /// lock.
    pub(super) fn forget(&mut self, settings: &Settings, now: Instant) -> Vec<Slot> {
        let mut forgotten = vec![];
        while let Some(&(until, id)) = self.over.first()
            && (now >= until || (self.over.len() > settings.remembered_max && !self.is_granted(id, now)))
        {
            self.over.pop_first();
            forgotten.extend(self.by_id.remove(&id));
        }
        if self.by_id.is_empty() {
            // A table that once held thousands gives its memory back.
            (self.by_id, self.over) = Default::default();
        }
        forgotten
    }

    /// Whether one more stream may be opened, which will have to be remembered in its turn.
    pub(super) fn has_room(&self, settings: &Settings, now: Instant) -> bool {
        let first = self.over.first().filter(|_| self.over.len() >= settings.remembered_max);
        first.is_none_or(|(_, id)| !self.is_granted(*id, now))
    }

    fn is_granted(&self, id: StreamId, now: Instant) -> bool {
        matches!(self.by_id.get(&id), Some(Slot::Past(past)) if past.is_granted(now))
    }
}
