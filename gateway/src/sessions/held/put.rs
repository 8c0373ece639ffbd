//! Putting sessions back: whoever had one in hand learns what its connector said of it meanwhile.

use super::{
    past::Past,
    table::{State, Table},
};
use postern_ids::{Ended, SessionId};
use std::time::Instant;

/// What becomes of a session that is put back.
#[derive(Debug)]
pub(super) enum Put<D> {
    /// It waits.
    Waits,
    /// Its connector said that it is over.
    Over(Ended, D),
    /// It is nothing of this gateway any more.
    Out(D),
}

impl<D> Table<D> {
    /// The session waits for its client from now on; not where the node is stopping, or its connector said that it is over.
    pub(super) fn park(&mut self, session: SessionId, duty: D, now: Instant) -> Put<D> {
        let Some(held) = self.sessions.get_mut(&session).filter(|_| !self.is_closed) else {
            return Put::Out(duty);
        };
        if let State::Busy { over: Some(ended), .. } = held.state {
            self.end(session, ended, now);
            return Put::Over(ended, duty);
        }
        if let State::Busy { elsewhere: Some(newer), .. } = held.state {
            held.generation = held.generation.max(newer);
        }
        held.state = State::Waiting(duty);
        Put::Waits
    }

    /// Whoever had the session lets it go without an end: it goes on elsewhere, unless the connector said meanwhile that it
    /// waits again, or is over.
    pub(super) fn let_go(&mut self, session: SessionId, duty: D, now: Instant) -> Put<D> {
        let Some(held) = self.sessions.get_mut(&session) else { return Put::Out(duty) };
        match held.state {
            State::Busy { over: Some(ended), .. } => {
                self.end(session, ended, now);
                return Put::Over(ended, duty);
            }
            State::Busy { elsewhere: Some(newer), .. } => {
                (held.generation, held.state, held.since) = (newer, State::Waiting(duty), now);
                return Put::Waits;
            }
            State::Busy { .. } | State::Waiting(_) => {}
        }
        let generation = held.generation;
        self.pasts.remember(session, Past::Moved(generation), now);
        self.remove(session);
        Put::Out(duty)
    }
}
