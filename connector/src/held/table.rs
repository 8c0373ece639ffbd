//! The table of streams: those being opened, those that run, and those that are over and remembered.

use super::standing::{News, Stream};
use crate::{
    links::Links,
    status::{StreamsStatus, machine_now},
};
use postern_ids::{Ended, SessionId, StreamId};
use postern_tunnel_io::{
    inventory,
    stream::{Held, StreamConfig, StreamState},
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::{Notify, futures::OwnedNotified};

/// Told of each change of a stream.
type OnChange = Arc<dyn Fn(StreamId, StreamState) + Send + Sync>;

/// What streams are held under.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This process, as streams name it.
    pub instance: [u8; 16],
    /// Their limits and their window; one budget for all.
    pub config: StreamConfig,
    /// Streams that are over and remembered for the window; beyond that the oldest are forgotten early.
    pub remembered_max: usize,
}

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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<StreamId, Slot>,
    /// Those that are over, the oldest first.
    over: VecDeque<(Instant, StreamId)>,
    /// The process is stopping: no client can come back.
    is_stopping: bool,
}

#[derive(Debug)]
enum Slot {
    /// The target is being dialed; who else wants the stream waits here.
    Opening(Arc<Notify>),
    /// It runs, or it is over.
    Held(Box<Stream>),
}

/// The answer to who asks for a stream.
#[derive(Debug)]
pub enum Claim {
    /// It does not exist: open it.
    Open(Opening),
    /// Somebody opens it: ask again after this.
    Wait(OwnedNotified),
    /// It exists.
    Known(Known),
}

/// A stream that exists, or existed until lately.
#[derive(Debug)]
pub struct Known {
    /// The stream.
    pub held: Held,
    /// The session that it belongs to.
    pub session: SessionId,
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

    /// Asks for a stream. Who asks first opens it; whoever comes meanwhile waits for that.
    pub fn claim(&self, id: StreamId) -> Claim {
        let mut state = self.table.lock();
        match state.by_id.get(&id) {
            Some(Slot::Held(stream)) => {
                Claim::Known(Known { held: stream.held().clone(), session: stream.session() })
            }
            Some(Slot::Opening(opened)) => Claim::Wait(opened.clone().notified_owned()),
            None => {
                state.by_id.insert(id, Slot::Opening(Arc::default()));
                Claim::Open(Opening { streams: self.clone(), id })
            }
        }
    }

    /// Keeps the grant of a lane that a stream took over to.
    pub fn set_grant(&self, id: StreamId, grant: &[u8], generation: u32) {
        if let Some(Slot::Held(stream)) = self.table.lock().by_id.get_mut(&id) {
            stream.set_grant(grant, generation);
        }
    }

    /// The process stops: what has no lane ends, now and later.
    pub fn stop(&self, ended: Ended) {
        let mut state = self.table.lock();
        state.is_stopping = true;
        for slot in state.by_id.values() {
            if let Slot::Held(stream) = slot
                && stream.detached_since().is_some()
            {
                stream.end(ended);
            }
        }
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
            status.held += u64::from(!stream.is_over());
            if let Some(since) = stream.detached_since() {
                status.detached += 1;
                status.detached_since = Some(status.detached_since.map_or(since, |first| first.min(since)));
            }
        }
        status
    }

    /// The id of every stream that gateways may have to hear of.
    pub(super) fn ids(&self) -> Vec<StreamId> {
        let state = self.table.lock();
        let held = |(id, slot): (&StreamId, &Slot)| matches!(slot, Slot::Held(_)).then_some(*id);
        state.by_id.iter().filter_map(held).collect()
    }

    /// What the list of held streams says of these.
    pub(super) fn listed(&self, ids: &[StreamId]) -> Vec<inventory::Entry> {
        self.entries(ids, Stream::listed)
    }

    /// What news say of these.
    pub(super) fn news(&self, ids: &[StreamId]) -> Vec<inventory::Entry> {
        self.entries(ids, |stream| Some(stream.entry()))
    }

    fn entries(
        &self,
        ids: &[StreamId],
        entry: impl Fn(&Stream) -> Option<inventory::Entry>,
    ) -> Vec<inventory::Entry> {
        let state = self.table.lock();
        let held = |id| match state.by_id.get(id) {
            Some(Slot::Held(stream)) => entry(stream),
            Some(Slot::Opening(_)) | None => None,
        };
        ids.iter().filter_map(held).collect()
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream says that it changed. What counts is how it stands now: two of its changes may cross.
    fn look(&self, id: StreamId) {
        let now = Instant::now();
        let mut state = self.lock();
        let is_stopping = state.is_stopping;
        let Some(Slot::Held(stream)) = state.by_id.get_mut(&id) else { return };
        let news = stream.look(machine_now());
        let is_news = news != News::None && stream.was_detached();
        match news {
            News::Detached if is_stopping => stream.end(Ended::ConnectorLost),
            News::Detached => tracing::debug!(session = %stream.session(), "session waits for its client"),
            News::None | News::Attached | News::Over => {}
        }
        let forgotten = if news == News::Over {
            state.over.push_back((now, id));
            state.forget(&self.settings, now)
        } else {
            vec![]
        };
        drop(state);
        drop(forgotten);
        if is_news {
            self.links.changed(id);
        }
    }
}

impl State {
    /// Takes out what nobody can ask for any more; to be dropped without the lock.
    fn forget(&mut self, settings: &Settings, now: Instant) -> Vec<Slot> {
        let mut forgotten = vec![];
        while let Some(&(at, id)) = self.over.front()
            && (now.saturating_duration_since(at) >= settings.config.window
                || self.over.len() > settings.remembered_max)
        {
            self.over.pop_front();
            forgotten.extend(self.by_id.remove(&id));
        }
        if self.by_id.is_empty() {
            // A table that once held thousands gives its memory back.
            (self.by_id, self.over) = Default::default();
        }
        forgotten
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
