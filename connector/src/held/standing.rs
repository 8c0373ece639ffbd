//! One stream in the table, and how it stands as far as gateways have to know.

use super::past::{End, Past};
use bytes::Bytes;
use postern_ids::{Ended, SessionId, Timestamp};
use postern_tunnel_io::{
    Cut,
    inventory::{self, State},
    stream::{Held, Over, StreamState},
};
use std::time::Instant;

/// A stream that runs.
#[derive(Debug)]
pub struct Stream {
    held: Held,
    session: SessionId,
    cut: Cut,
    grant: Bytes,
    /// The generation that the grant came with.
    granted: u32,
    /// When the last of its grants ends.
    granted_until: Instant,
    /// Since when no lane has carried it, by this machine's clock: people read it.
    detached: Option<Timestamp>,
    /// It was without a lane at some time, so that gateways may believe that it is.
    was_detached: bool,
}

/// What a lane came with.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// As it came.
    pub token: &'a [u8],
    /// From when on it opens nothing.
    pub until: Instant,
}

/// What happened to a stream since the last look.
#[derive(Debug)]
pub(super) enum News {
    /// Nothing that anybody waits for.
    None,
    /// It lost its lane.
    Detached,
    /// A lane carries it again.
    Attached,
    /// It is over: this is what to remember.
    Over(Past),
}

impl Stream {
    /// A stream with its first lane. The grant is copied: it came in a message that it would keep whole.
    pub fn new(held: Held, session: SessionId, cut: Cut, grant: Grant<'_>) -> Self {
        Self {
            session,
            cut,
            grant: Bytes::copy_from_slice(grant.token),
            granted: held.generation(),
            granted_until: grant.until,
            detached: None,
            was_detached: false,
            held,
        }
    }

    /// The stream itself.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// Its session: every lane of it comes with a grant for this one.
    pub(super) fn session(&self) -> SessionId {
        self.session
    }

    /// Since when no lane has carried it.
    pub(super) fn detached(&self) -> Option<Timestamp> {
        self.detached
    }

    /// Whether gateways may believe that it waits for its client.
    pub(super) fn was_detached(&self) -> bool {
        self.was_detached
    }

    /// Ends it.
    pub(super) fn end(&self, ended: Ended) {
        self.cut.cut(ended);
    }

    /// Keeps the grant of a newer lane.
    pub(super) fn set_grant(&mut self, grant: Grant<'_>, generation: u32) {
        self.granted_until = self.granted_until.max(grant.until);
        if generation > self.granted {
            (self.grant, self.granted) = (Bytes::copy_from_slice(grant.token), generation);
        }
    }

    /// Looks how it stands now, by both clocks.
    pub(super) fn look(&mut self, at: Instant, now: Timestamp) -> News {
        match (self.detached, self.held.state()) {
            (None, StreamState::Attached { .. }) | (Some(_), StreamState::Detached { .. }) => News::None,
            (Some(_), StreamState::Attached { .. }) => {
                self.detached = None;
                News::Attached
            }
            (None, StreamState::Detached { .. }) => {
                (self.detached, self.was_detached) = (Some(now), true);
                News::Detached
            }
            (_, StreamState::Over(Over { code, .. })) => {
                let end = End { code, at, granted_until: self.granted_until, seen: self.seen() };
                News::Over(Past::new(&self.held, self.session, end))
            }
        }
    }

    /// Of a stream that a lane carries: the grant that gateways need who may believe that it waits.
    fn seen(&mut self) -> Option<Bytes> {
        let grant = if self.was_detached { std::mem::take(&mut self.grant) } else { Bytes::new() };
        self.detached.is_none().then_some(grant)
    }

    /// What gateways are told of it.
    pub(super) fn entry(&self) -> inventory::Entry {
        inventory::Entry {
            stream: self.held.id(),
            session: self.session,
            generation: self.held.generation(),
            state: if self.detached.is_some() { State::Detached } else { State::Attached },
            grant: self.grant.clone(),
        }
    }
}
