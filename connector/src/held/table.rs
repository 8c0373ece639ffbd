//! The table of streams: those being opened, those that run, and those that are over and remembered.

use super::{
    past::Past,
    slots::{Settings, Slot, Slots},
    standing::{Grant, News, Stream},
};
use crate::{
    links::Links,
    status::{StreamsStatus, machine_now},
};
use postern_ids::{Ended, SessionId, StreamId};
use postern_tunnel_io::{
    inventory,
    stream::{Held, StreamState},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::futures::OwnedNotified;

/// Told of each change of a stream.
type OnChange = Arc<dyn Fn(StreamId, StreamState) + Send + Sync>;

/// The streams of the process. Each counts as a session while it is open, and is bounded by the limit of those.
#[derive(Clone)]
pub struct Streams {
    table: Arc<Table>,
    on_change: OnChange,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("settings", &self.table.settings).finish_non_exhaustive()
    }
}

struct Table {
    settings: Settings,
    links: Links,
    state: Mutex<Slots>,
}

/// The answer to who asks for a stream.
#[derive(Debug)]
pub enum Claim {
    /// It does not exist: open it.
    Open(Opening),
    /// It does not exist, and too many are remembered that did.
    Full,
    /// It runs, in this session.
    Held(Held, SessionId),
    /// It is over.
    Past(Box<Past>),
}

impl Streams {
    /// No streams yet. `links` lead to those who hear of changes.
    pub fn new(settings: Settings, links: Links) -> Self {
        let table = Arc::new(Table { settings, links, state: Mutex::default() });
        let told = Arc::downgrade(&table);
        let on_change: OnChange = Arc::new(move |id, _| {
            if let Some(table) = told.upgrade() {
                table.look(id);
            }
        });
        Self { table, on_change }
    }

    /// What streams are held under.
    pub fn settings(&self) -> &Settings {
        &self.table.settings
    }

    /// Whom a stream tells of its changes.
    pub fn on_change(&self) -> OnChange {
        self.on_change.clone()
    }

    /// Asks for a stream. Who asks first opens it; whoever comes meanwhile asks again after what the error waits for.
    pub fn claim(&self, id: StreamId) -> Result<Claim, OwnedNotified> {
        let mut state = self.table.lock();
        match state.by_id.get(&id) {
            Some(Slot::Held(stream)) => Ok(Claim::Held(stream.held().clone(), stream.session())),
            Some(Slot::Past(past)) => Ok(Claim::Past(past.clone())),
            Some(Slot::Opening(opened)) => Err(opened.clone().notified_owned()),
            None if !state.has_room(&self.table.settings, Instant::now()) => Ok(Claim::Full),
            None => {
                state.by_id.insert(id, Slot::Opening(Arc::default()));
                Ok(Claim::Open(Opening { streams: self.clone(), id }))
            }
        }
    }

    /// Keeps the grant of a lane that a stream took over to, or was asked to.
    pub fn set_grant(&self, id: StreamId, grant: Grant<'_>, generation: u32) {
        let mut state = self.table.lock();
        match state.by_id.get_mut(&id) {
            Some(Slot::Held(stream)) => stream.set_grant(grant, generation),
            Some(Slot::Past(_)) => state.grant_past(id, grant.until, &self.table.settings),
            Some(Slot::Opening(_)) | None => {}
        }
    }

    /// The process stops: what has no lane ends, now and later.
    pub fn stop(&self, ended: Ended) {
        let mut state = self.table.lock();
        state.is_stopping = true;
        for slot in state.by_id.values() {
            if let Slot::Held(stream) = slot
                && stream.detached().is_some()
            {
                stream.end(ended);
            }
        }
    }

    /// Nothing is left to do for a stream that is over.
    pub fn settle(&self, id: StreamId) {
        let mut state = self.table.lock();
        let Some(Slot::Past(past)) = state.by_id.get_mut(&id) else { return };
        let gone = past.settle();
        drop(state);
        drop(gone);
    }

    /// Forgets what was remembered for long enough.
    pub fn forget(&self, now: Instant) {
        let mut state = self.table.lock();
        let forgotten = state.forget(&self.table.settings, now);
        drop(state);
        drop(forgotten);
    }

    /// The numbers that `status` shows.
    pub fn status(&self) -> StreamsStatus {
        let state = self.table.lock();
        let mut status = StreamsStatus::default();
        for slot in state.by_id.values() {
            let Slot::Held(stream) = slot else { continue };
            status.held += 1;
            if let Some(since) = stream.detached() {
                status.detached += 1;
                status.detached_since = Some(status.detached_since.map_or(since, |first| first.min(since)));
            }
        }
        status
    }

    /// The id of every stream that gateways may have to hear of.
    pub(super) fn ids(&self) -> Vec<StreamId> {
        let state = self.table.lock();
        state.by_id.keys().copied().collect()
    }

    /// What the list of held streams says of these.
    pub(super) fn listed(&self, ids: &[StreamId]) -> Vec<inventory::Entry> {
        let now = Instant::now();
        self.entries(ids, |stream| Some(stream.entry()), |id, past| past.listed(id, now))
    }

    /// What news say of these.
    pub(super) fn news(&self, ids: &[StreamId]) -> Vec<inventory::Entry> {
        self.entries(ids, |stream| Some(stream.entry()), |id, past| Some(past.news(id)))
    }

    fn entries(
        &self,
        ids: &[StreamId],
        of_stream: impl Fn(&Stream) -> Option<inventory::Entry>,
        of_past: impl Fn(StreamId, &Past) -> Option<inventory::Entry>,
    ) -> Vec<inventory::Entry> {
        let state = self.table.lock();
        let entry = |id: &StreamId| match state.by_id.get(id) {
            Some(Slot::Held(stream)) => of_stream(stream),
            Some(Slot::Past(past)) => of_past(*id, past),
            Some(Slot::Opening(_)) | None => None,
        };
        ids.iter().filter_map(entry).collect()
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream says that it changed. What counts is how it stands now: two of its changes may cross.
    fn look(&self, id: StreamId) {
        let now = Instant::now();
        let mut state = self.lock();
        let is_stopping = state.is_stopping;
        let Some(Slot::Held(stream)) = state.by_id.get_mut(&id) else { return };
        let news = stream.look(now, machine_now());
        let is_news = stream.was_detached();
        let gone = match news {
            News::None => return,
            News::Attached => vec![],
            News::Detached => {
                tracing::debug!(session = %stream.session(), "session waits for its client");
                if is_stopping {
                    stream.end(Ended::ConnectorLost);
                }
                vec![]
            }
            News::Over(past) => state.remember(id, past, &self.settings, now),
        };
        drop(state);
        drop(gone);
        if is_news {
            self.links.changed(id);
        }
    }
}

/// The right and the duty to open a stream. Dropped without success, it leaves the place to whoever waits.
#[derive(Debug)]
pub struct Opening {
    streams: Streams,
    id: StreamId,
}

impl Opening {
    /// The stream runs: whoever waited finds it.
    pub fn succeed(self, stream: Stream) {
        let table = &self.streams.table;
        let slot = table.lock().by_id.insert(self.id, Slot::Held(Box::new(stream)));
        if let Some(Slot::Opening(opened)) = slot {
            opened.notify_waiters();
        }
        // It may have lost its lane before it stood in the table.
        table.look(self.id);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.streams.table.lock();
        if matches!(state.by_id.get(&self.id), Some(Slot::Opening(_)))
            && let Some(Slot::Opening(opened)) = state.by_id.remove(&self.id)
        {
            drop(state);
            opened.notify_waiters();
        }
    }
}
