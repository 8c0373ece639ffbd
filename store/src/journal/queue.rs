//! What waits for the journal's thread. Bounded: allows and denials by their room, ends and departures by the
//! sessions that are live.

use super::{NotRecorded, SessionEnd, SessionLeft, record::RecordKind};
use postern_ids::{Ended, SessionId, Timestamp};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Allows and denials that may wait at once; further allows wait for room, further denials are counted. At 1,500 bytes
/// each this is 6 MiB, and more than a second of the fastest disk measured.
pub(crate) const WAITING_MAX: usize = 4096;

/// An allow, as far as the journal must know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allow {
    pub(crate) kind: RecordKind,
    pub(crate) session: SessionId,
    pub(crate) generation: u32,
    pub(crate) at: Timestamp,
}

impl Allow {
    /// The end of a session that was recorded and whose caller went away meanwhile, so that nobody else will end it. A
    /// session that was only to be resumed did not end by that: it is where it was.
    pub(crate) fn unopened(self) -> Option<SessionEnd> {
        let Self { kind, session, generation, at } = self;
        let end = SessionEnd { session, generation, ended: Ended::NotOpened, bytes_up: 0, bytes_down: 0, at };
        (kind == RecordKind::Admitted).then_some(end)
    }
}

/// One record that waits.
pub(crate) enum Entry {
    /// An allow; the session starts, or goes on, with the answer.
    Allow {
        allow: Allow,
        body: Vec<u8>,
        answer: oneshot::Sender<Result<u64, NotRecorded>>,
        _room: OwnedSemaphorePermit,
    },
    /// A denial, or a count of something; nobody waits for it.
    Note { at: Timestamp, kind: RecordKind, body: Vec<u8>, _room: OwnedSemaphorePermit },
    /// The end of a session; it waits as long as it must.
    End(SessionEnd),
    /// A session that goes on elsewhere; it waits as long as it must.
    Left(SessionLeft),
}

/// What the thread takes in one turn.
pub(crate) struct Taken {
    pub(crate) entries: Vec<Entry>,
    /// Nothing will come after these.
    pub(crate) is_last: bool,
}

/// The queue between the sessions and the journal's thread.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    pub(crate) room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), bell: Condvar::new(), room: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    /// Hands an entry to the thread; gives it back when the journal is closed.
    pub(crate) fn push(&self, entry: Entry) -> Result<(), Entry> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(entry);
        }
        waiting.entries.push(entry);
        drop(waiting);
        self.bell.notify_one();
        Ok(())
    }

    /// Everything that waits; waits itself until there is something, or for `patience` where there is one.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Taken {
        let mut waiting = self.lock();
        while waiting.entries.is_empty() && !waiting.is_closed {
            waiting = match patience {
                None => self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (woken, _) =
                        self.bell.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
                    return Self::drain(woken);
                }
            };
        }
        Self::drain(waiting)
    }

    /// Refuses what comes from here on, and lets the thread finish.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.room.close();
        self.bell.notify_all();
    }

    fn drain(mut waiting: MutexGuard<'_, Waiting>) -> Taken {
        Taken { entries: std::mem::take(&mut waiting.entries), is_last: waiting.is_closed }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
