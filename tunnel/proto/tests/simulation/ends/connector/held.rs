//! A stream that the connector holds, or remembers, and how it stands as far as gateways have to know.

use super::super::carrier::Carrier;
use bytes::Bytes;
use postern_ids::SessionId;
use postern_tunnel_proto::inventory::{Entry, State};

pub(crate) struct Held {
    pub(crate) carrier: Carrier,
    pub(crate) session: SessionId,
    /// The last grant that it was taken over with.
    pub(super) grant: Bytes,
    standing: Standing,
    /// It was without a lane at some time, so that gateways may believe that it is.
    was_detached: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Attached,
    Detached,
    /// Over with this code.
    Over(u16),
}

impl Held {
    pub(super) fn new(carrier: Carrier, session: SessionId, grant: Bytes) -> Self {
        Self { carrier, session, grant, standing: Standing::Attached, was_detached: false }
    }

    /// Looks how it stands now; says whether that is news for gateways.
    pub(super) fn look(&mut self) -> bool {
        let stream = &self.carrier.stream;
        let next = match (self.standing, stream.over()) {
            (Standing::Over(_), _) => return false,
            (_, Some(over)) => Standing::Over(over.code),
            (_, None) if stream.detached_since().is_some() => Standing::Detached,
            (_, None) => Standing::Attached,
        };
        let changed = std::mem::replace(&mut self.standing, next) != next;
        self.was_detached |= next == Standing::Detached;
        changed && self.was_detached
    }

    /// What gateways are told of it. An end is told too: the gateway that carried the stream may have missed it, for the
    /// link died that would have told.
    pub(super) fn entry(&self) -> Entry {
        let state = match self.standing {
            Standing::Attached => State::Attached,
            Standing::Detached => State::Detached,
            Standing::Over(code) => State::Over(code),
        };
        let stream = &self.carrier.stream;
        let grant = if matches!(state, State::Over(_)) { Bytes::new() } else { self.grant.clone() };
        Entry { stream: stream.id(), session: self.session, generation: stream.generation(), state, grant }
    }
}
