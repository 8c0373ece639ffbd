//! What the model knows of one stream.

use super::{
    flow::{Flow, Way},
    spoken::Said,
};
use crate::stage::Node;
use postern_ids::{Ended, SessionId};
use postern_tunnel_proto::stream::Over;
use std::{collections::BTreeSet, time::Instant};

/// Which end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Connector,
}

impl Side {
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Client => Self::Connector,
            Self::Connector => Self::Client,
        }
    }

    /// The direction that this side writes.
    pub(crate) fn writes(self) -> Way {
        match self {
            Self::Client => Way::Up,
            Self::Connector => Way::Down,
        }
    }
}

/// One end of a stream.
#[derive(Debug, Default)]
pub(crate) struct EndOf {
    /// It exists: the client's from the start, the connector's when the target is dialed.
    pub(crate) is_there: bool,
    /// Since when no lane has carried it.
    pub(crate) detached: Option<Instant>,
    pub(crate) over: Option<(Over, Instant)>,
    /// What this end said over its lanes.
    pub(super) said: Said,
}

/// A gateway that lies opened the newest lane of a stream with what it had recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Carries,
    LetGo(Instant),
}

/// One stream, whatever lanes carry it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) client: Node,
    pub(crate) connector: Node,
    pub(crate) up: Flow,
    pub(crate) down: Flow,
    pub(super) ends: [EndOf; 2],
    /// The session that carries it.
    pub(crate) session: Option<SessionId>,
    /// The newest attempt that the connector took.
    pub(super) generation: u32,
    /// The instance of the connector that dialed its target.
    pub(super) dialed_by: Option<[u8; 16]>,
    /// A process of the connector died, and another one was asked for the stream.
    pub(crate) was_dialed_again: bool,
    pub(crate) expires: Option<Instant>,
    pub(crate) revoked: Option<Instant>,
    /// Who carries it at its connector, as far as that is a gateway that lies.
    pub(super) lie: Option<Lie>,
    /// A gateway that lies brought the connector to take one of its attempts.
    pub(super) was_lied_about: bool,
    /// Codes that it may end with before its time, because something in the run gave reason for it.
    pub(super) excuses: BTreeSet<u16>,
}

impl Ledger {
    pub(super) fn new(number: u64, client: Node, connector: Node, expires: Option<Instant>) -> Self {
        Self {
            client,
            connector,
            up: Flow::new(number * 2),
            down: Flow::new(number * 2 + 1),
            ends: [
                EndOf { is_there: true, detached: Some(crate::epoch()), ..EndOf::default() },
                EndOf::default(),
            ],
            session: None,
            generation: 0,
            dialed_by: None,
            was_dialed_again: false,
            expires,
            revoked: None,
            lie: None,
            was_lied_about: false,
            excuses: BTreeSet::new(),
        }
    }

    pub(crate) fn flow(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    pub(crate) fn end(&self, side: Side) -> &EndOf {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut EndOf {
        &mut self.ends[side as usize]
    }

    /// This end is over in order: it accepted all that its peer wrote.
    pub(crate) fn has_finished(&self, side: Side) -> bool {
        self.end(side).over.as_ref().is_some_and(|(over, _)| over.code == Ended::Finished.code())
    }

    /// One of its ends said its end in a record, which a gateway carries without reading it.
    pub(crate) fn was_ended_in_words(&self) -> bool {
        self.ends.iter().any(|end| end.said.has_ended())
    }

    /// Neither its client nor its connector lies.
    pub(crate) fn is_honest(&self) -> bool {
        !self.client.is_hostile() && !self.connector.is_hostile()
    }

    /// This end is over, or is not there, or is not to be trusted.
    pub(crate) fn is_over(&self, side: Side) -> bool {
        let node = match side {
            Side::Client => self.client,
            Side::Connector => self.connector,
        };
        node.is_hostile() || !self.end(side).is_there || self.end(side).over.is_some()
    }
}
