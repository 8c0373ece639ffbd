//! The table of held sessions as plain data: who holds what, and what may become of it.
//!
//! `D` is what ends a session. It stands here while the session waits for its client, and is in somebody's hands otherwise:
//! there is one for each session, and it is always in exactly one place.

use super::past::{Past, Pasts};
use crate::{connectors::Home, signing::Stated};
use postern_ids::{Ended, ResourceId, SessionId, StreamId};
use postern_policy::model::PrincipalId;
use postern_tunnel_io::{Detach, give_back};
use std::{collections::HashMap, time::Instant};

/// A resumable session: what never changes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldOf {
    /// The session.
    pub session: SessionId,
    /// Its byte stream.
    pub stream: StreamId,
    /// The key that its client holds.
    pub key: [u8; 32],
    /// Whose it is.
    pub principal: PrincipalId,
    /// What it reaches.
    pub resource: ResourceId,
    /// The process that holds the stream.
    pub home: Home,
}

impl HeldOf {
    /// As its grant or ticket states it.
    pub(crate) fn stated(stated: &Stated, home: Home) -> Self {
        Self {
            session: stated.session,
            stream: stated.stream,
            key: stated.key,
            principal: stated.facts.principal,
            resource: stated.resource,
            home,
        }
    }
}

/// What a claim comes to.
#[derive(Debug)]
pub(super) enum Claim<D> {
    /// Nobody here knew of it; the claimant has it from now on.
    Fresh,
    /// It waited here; the claimant has it from now on.
    Taken(Was<D>),
    /// Somebody has it who was told to let go: ask again when something was let go.
    Busy,
    /// A newer attempt was here.
    Superseded,
    /// It ended here.
    Ended(Ended),
    /// It is not what it is taken for.
    Unknown,
    /// There is no room for more.
    Full,
    /// The node is stopping.
    Closed,
}

#[derive(Debug)]
pub(super) struct Held<D> {
    pub(super) of: HeldOf,
    /// The newest attempt that was let in here, or that the connector told of.
    pub(super) generation: u32,
    pub(super) state: State<D>,
    /// When it began to wait, or when its connector last said that it does.
    pub(super) since: Instant,
}

#[derive(Debug)]
pub(super) enum State<D> {
    /// In somebody's hands, who listens to the order to let go. Said by the connector meanwhile: `elsewhere`, that it waits
    /// again after a newer attempt, which came through another gateway; `over`, that it is over.
    Busy { order: Detach, elsewhere: Option<u32>, over: Option<Ended> },
    /// Waiting for its client.
    Waiting(D),
}

impl<D> State<D> {
    fn busy(order: &Detach) -> Self {
        Self::Busy { order: order.clone(), elsewhere: None, over: None }
    }
}

/// What stood in the table of a session: the newest attempt that was known, and what ends it.
#[derive(Debug)]
pub(super) struct Was<D> {
    pub(super) generation: u32,
    pub(super) duty: D,
}

/// Who wants a session.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    /// Greater than in every earlier attempt.
    pub(super) generation: u32,
    /// What whoever gets the session listens to.
    pub(super) order: &'a Detach,
    /// When.
    pub(super) now: Instant,
}

/// The held sessions of a node.
#[derive(Debug)]
pub(super) struct Table<D> {
    pub(super) sessions: HashMap<SessionId, Held<D>>,
    streams: HashMap<(StreamId, [u8; 32]), SessionId>,
    pub(super) pasts: Pasts,
    sessions_max: usize,
    pub(super) is_closed: bool,
}

impl<D> Table<D> {
    pub(super) fn new(sessions_max: usize) -> Self {
        Self {
            sessions: HashMap::new(),
            streams: HashMap::new(),
            pasts: Pasts::default(),
            sessions_max,
            is_closed: false,
        }
    }

    /// The session of this stream whose client holds this key.
    pub(super) fn find(&self, stream: StreamId, key: [u8; 32]) -> Option<HeldOf> {
        let session = self.streams.get(&(stream, key))?;
        self.sessions.get(session).map(|held| held.of)
    }

    pub(super) fn knows(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Claims a session. Whoever has it is told to let go with `code`.
    pub(super) fn claim(&mut self, of: &HeldOf, attempt: &Attempt<'_>, code: u16) -> Claim<D> {
        if self.is_closed {
            return Claim::Closed;
        }
        let Some(held) = self.sessions.get_mut(&of.session) else {
            return match self.pasts.of(of.session) {
                Some(Past::Ended(ended)) => Claim::Ended(ended),
                Some(Past::Moved(newest)) if newest >= attempt.generation => Claim::Superseded,
                Some(Past::Moved(_)) | None => self.enter(of, attempt),
            };
        };
        if held.of != *of {
            return Claim::Unknown;
        }
        if attempt.generation <= held.generation {
            return Claim::Superseded;
        }
        if let State::Busy { order, .. } = &held.state {
            order.detach(code);
            return Claim::Busy;
        }
        let generation = std::mem::replace(&mut held.generation, attempt.generation);
        match std::mem::replace(&mut held.state, State::busy(attempt.order)) {
            State::Waiting(duty) => Claim::Taken(Was { generation, duty }),
            State::Busy { .. } => Claim::Busy,
        }
    }

    /// Enters a session that is in the caller's hands; one that is there already may have got another home.
    pub(super) fn enter(&mut self, of: &HeldOf, attempt: &Attempt<'_>) -> Claim<D> {
        if self.is_closed {
            return Claim::Closed;
        }
        if self.is_full() && !self.knows(of.session) {
            return Claim::Full;
        }
        if !self.index(of) {
            return Claim::Superseded;
        }
        let state = State::busy(attempt.order);
        let held = Held { of: *of, generation: attempt.generation, state, since: attempt.now };
        self.sessions.insert(of.session, held);
        Claim::Fresh
    }

    /// False when another session carries this stream: its admission came first, and the client has asked again meanwhile.
    pub(super) fn index(&mut self, of: &HeldOf) -> bool {
        *self.streams.entry((of.stream, of.key)).or_insert(of.session) == of.session
    }

    pub(super) fn is_full(&self) -> bool {
        self.sessions.len() >= self.sessions_max
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes a waiting session for a moment, whatever the attempt.
    pub(super) fn take(&mut self, session: SessionId, order: &Detach) -> Option<Was<D>> {
        let held = self.sessions.get_mut(&session)?;
        if let State::Busy { .. } = held.state {
            return None;
        }
        match std::mem::replace(&mut held.state, State::busy(order)) {
            State::Waiting(duty) => Some(Was { generation: held.generation, duty }),
            State::Busy { .. } => None,
        }
    }

    /// The session's lanes are gone as of now.
    pub(super) fn touch(&mut self, session: SessionId, now: Instant) {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.since = now;
        }
    }

    /// An attempt came to nothing at the connector: the one before counts again.
    pub(super) fn fall_back(&mut self, session: SessionId, generation: u32) {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.generation = generation;
        }
    }

    /// The session is over here.
    pub(super) fn end(&mut self, session: SessionId, ended: Ended, now: Instant) -> Option<Was<D>> {
        self.pasts.remember(session, Past::Ended(ended), now);
        self.remove(session)
    }

    /// Nothing came of a claim on a session that nobody here knew of.
    pub(super) fn remove(&mut self, session: SessionId) -> Option<Was<D>> {
        let held = self.sessions.remove(&session)?;
        if self.streams.get(&(held.of.stream, held.of.key)) == Some(&session) {
            self.streams.remove(&(held.of.stream, held.of.key));
        }
        give_back(&mut self.sessions);
        give_back(&mut self.streams);
        match held.state {
            State::Waiting(duty) => Some(Was { generation: held.generation, duty }),
            State::Busy { .. } => None,
        }
    }

    /// Takes out the waiting sessions that `which` selects, ended so.
    pub(super) fn end_waiting(
        &mut self,
        now: Instant,
        which: impl Fn(&HeldOf, &D, Instant) -> Option<Ended>,
    ) -> Vec<(HeldOf, Ended, Was<D>)> {
        let chosen = self.sessions.values().filter_map(|held| match &held.state {
            State::Waiting(duty) => Some((held.of, which(&held.of, duty, held.since)?)),
            State::Busy { .. } => None,
        });
        let chosen: Vec<(HeldOf, Ended)> = chosen.collect();
        let ended =
            chosen.into_iter().filter_map(|(of, ended)| Some((of, ended, self.end(of.session, ended, now)?)));
        ended.collect()
    }

    /// The waiting sessions, with what `look` sees of them.
    pub(super) fn waiting<T>(&self, look: impl Fn(&D) -> Option<T>) -> Vec<(HeldOf, T)> {
        let waiting = self.sessions.values().filter_map(|held| match &held.state {
            State::Waiting(duty) => Some((held.of, look(duty)?)),
            State::Busy { .. } => None,
        });
        waiting.collect()
    }

    /// Lets everything go for the end of the node, and nothing in any more. Gives what waited.
    pub(super) fn close(&mut self, code: u16) -> Vec<D> {
        self.is_closed = true;
        self.streams.clear();
        let all = std::mem::take(&mut self.sessions).into_values();
        let waiting = all.filter_map(|held| match held.state {
            State::Waiting(duty) => Some(duty),
            State::Busy { order, .. } => {
                order.detach(code);
                None
            }
        });
        waiting.collect()
    }
}
