//! Frames that are not bytes of a lane: they go out before any of those, in the order they were asked for.

use super::Reset;
use crate::frame::{Hello, Kind, LaneId, Transmit};
use bytes::Bytes;
use postern_ids::SessionId;
use std::collections::VecDeque;

/// Bytes of control frames that may wait; a peer that reads none of them is cut off.
const CONTROL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One frame to send.
#[derive(Debug)]
pub(super) enum Command {
    Hello(Hello),
    Open { lane: LaneId, flow: u64, metadata: Bytes, early: Bytes },
    Opened { lane: LaneId, metadata: Bytes },
    Refused { lane: LaneId, code: u16, detail: Bytes },
    Reset { lane: LaneId, reset: Reset },
    GoAway { code: u16, hint: Bytes },
    Inventory { entries: Bytes, last: bool },
    Keys(Bytes),
    Kill { session: SessionId, code: u16 },
}

impl Command {
    /// Bytes that it takes on the wire, and at least what it takes in memory.
    fn weight(&self) -> usize {
        let payload = match self {
            Self::Open { metadata, early, .. } => metadata.len() + early.len(),
            Self::Opened { metadata: bytes, .. }
            | Self::Refused { detail: bytes, .. }
            | Self::GoAway { hint: bytes, .. }
            | Self::Inventory { entries: bytes, .. }
            | Self::Keys(bytes) => bytes.len(),
            Self::Hello(_) | Self::Reset { .. } | Self::Kill { .. } => 0,
        };
        payload + size_of::<Self>()
    }

    fn put(self, out: &mut Transmit) {
        match self {
            Self::Hello(hello) => out.hello(hello),
            Self::Open { lane, flow, metadata, early } => out.open(lane, flow, metadata, early),
            Self::Opened { lane, metadata } => out.opaque(Kind::Opened, 0, lane, metadata),
            Self::Refused { lane, code, detail } => out.coded(Kind::Refused, lane, code, &detail),
            Self::Reset { lane, reset } => out.reset(lane, reset.code, reset.class),
            Self::GoAway { code, hint } => out.coded(Kind::GoAway, LaneId::LINK, code, &hint),
            Self::Inventory { entries, last } => {
                out.opaque(Kind::Inventory, u8::from(last), LaneId::LINK, entries);
            }
            Self::Keys(keys) => out.opaque(Kind::Keys, 0, LaneId::LINK, keys),
            Self::Kill { session, code } => out.kill(session, code),
        }
    }
}

/// The queue of them.
#[derive(Debug, Default)]
pub(super) struct Control {
    queue: VecDeque<Command>,
    weight: usize,
    /// A Ping waits.
    pub(super) ping: bool,
    /// The latest Ping of the peer that was not answered; older ones need no answer any more.
    pub(super) pong: Option<u64>,
}

impl Control {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.ping && self.pong.is_none()
    }

    /// False when too much waits already.
    #[must_use]
    pub(super) fn push(&mut self, command: Command) -> bool {
        self.weight += command.weight();
        self.queue.push_back(command);
        self.weight <= CONTROL_BYTES_MAX
    }

    /// Bytes of the commands that wait.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts the next command into `out` if the message stays within `max` bytes. False when there is none, or no room.
    pub(super) fn put_next(&mut self, out: &mut Transmit, max: usize) -> bool {
        let fits =
            |command: &mut Command| out.len().saturating_add(command.weight()) <= max || out.is_empty();
        let Some(command) = self.queue.pop_front_if(fits) else { return false };
        self.weight -= command.weight();
        command.put(out);
        if self.queue.is_empty() && self.queue.capacity() > 256 {
            self.queue = VecDeque::new();
        }
        true
    }
}
