//! One stream in the table, and how it stands as far as gateways have to know.

use bytes::Bytes;
use postern_ids::{Ended, SessionId, Timestamp};
use postern_tunnel_io::{
    Cut,
    inventory::{self, State},
    stream::{Held, StreamState},
};

/// A stream that is held, or was.
#[derive(Debug)]
pub struct Stream {
    held: Held,
    session: SessionId,
    cut: Cut,
    grant: Bytes,
    /// The generation that the grant came with.
    granted: u32,
    standing: Standing,
    /// It was without a lane at some time, so that gateways may believe that it is.
    was_detached: bool,
}

/// How it stood when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Attached,
    /// No lane has carried it since then, by this machine's clock: people read it.
    Detached(Timestamp),
    /// It is over with this code; without a lane at that time, no gateway saw it end.
    Over {
        code: u16,
        is_seen: bool,
    },
}

/// What happened since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing that anybody waits for.
    None,
    /// It lost its lane.
    Detached,
    /// A lane carries it again.
    Attached,
    /// It is over.
    Over,
}

impl Stream {
    /// A stream with its first lane. The grant is copied: it came in a message that it would keep whole.
    pub fn new(held: Held, session: SessionId, cut: Cut, grant: &[u8]) -> Self {
        let (granted, grant) = (held.generation(), Bytes::copy_from_slice(grant));
        Self { held, session, cut, grant, granted, standing: Standing::Attached, was_detached: false }
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
    pub(super) fn detached_since(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Detached(since) => Some(since),
            Standing::Attached | Standing::Over { .. } => None,
        }
    }

    /// Whether it was over when it was last looked at.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.standing, Standing::Over { .. })
    }

    /// Ends it.
    pub(super) fn end(&self, ended: Ended) {
        self.cut.cut(ended);
    }

    /// Keeps the grant of a newer lane.
    pub(super) fn set_grant(&mut self, grant: &[u8], generation: u32) {
        if generation > self.granted && !self.is_over() {
            (self.grant, self.granted) = (Bytes::copy_from_slice(grant), generation);
        }
    }

    /// Looks how it stands now, by this machine's clock.
    pub(super) fn look(&mut self, now: Timestamp) -> News {
        let (standing, news) = match (self.standing, self.held.state()) {
            (Standing::Over { .. }, _)
            | (Standing::Attached, StreamState::Attached { .. })
            | (Standing::Detached(_), StreamState::Detached { .. }) => return News::None,
            (Standing::Detached(_), StreamState::Attached { .. }) => (Standing::Attached, News::Attached),
            (Standing::Attached, StreamState::Detached { .. }) => (Standing::Detached(now), News::Detached),
            (before, StreamState::Over(over)) => {
                let is_seen = before == Standing::Attached;
                // Who is told that it lives elsewhere is told its grant too: an entry without one is no entry.
                if !(is_seen && self.was_detached) {
                    self.grant = Bytes::new();
                }
                (Standing::Over { code: over.code, is_seen }, News::Over)
            }
        };
        self.standing = standing;
        self.was_detached |= news == News::Detached;
        news
    }

    /// Whether gateways may believe something about it that is not so any more.
    pub(super) fn was_detached(&self) -> bool {
        self.was_detached
    }

    /// What the list of held streams says of it; nothing if some gateway saw its end.
    pub(super) fn listed(&self) -> Option<inventory::Entry> {
        let is_seen = matches!(self.standing, Standing::Over { is_seen: true, .. });
        (!is_seen).then(|| self.entry())
    }

    /// What gateways are told of it now.
    pub(super) fn entry(&self) -> inventory::Entry {
        let state = match self.standing {
            // Over, and the gateway that carried it records that: to the others it lives elsewhere.
            Standing::Attached | Standing::Over { is_seen: true, .. } => State::Attached,
            Standing::Detached(_) => State::Detached,
            Standing::Over { code, is_seen: false } => State::Over(code),
        };
        inventory::Entry {
            stream: self.held.id(),
            session: self.session,
            generation: self.held.generation(),
            state,
            grant: self.grant.clone(),
        }
    }
}
