//! What a link tells its shell.

use crate::frame::{LaneId, ResetClass};
use bytes::Bytes;
use postern_ids::SessionId;
use std::borrow::Cow;

/// News for the shell. `Readable` and `Writable` are said once until the shell acts on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer's Hello came and a common version was found; lanes can be opened.
    Established {
        /// The version both sides speak.
        version: u16,
    },
    /// The peer wants a lane: answer with `accept` or `refuse`.
    Incoming {
        /// The lane.
        lane: LaneId,
        /// Its flow group: lanes of one group share one fair part of the link.
        flow: u64,
        /// What the layer above wrote into Open.
        metadata: Bytes,
        /// The stream's first bytes, not charged to the window.
        early: Bytes,
    },
    /// The peer accepted our lane.
    Opened {
        /// The lane.
        lane: LaneId,
        /// What the layer above wrote into Opened.
        metadata: Bytes,
    },
    /// The peer refused our lane, which is gone.
    Refused {
        /// The lane.
        lane: LaneId,
        /// A code of `postern_ids::Refusal`.
        code: u16,
        /// At most 256 bytes for the layer above.
        detail: Bytes,
    },
    /// `read` has something: bytes, or the end.
    Readable(LaneId),
    /// `write` takes bytes again after it took less than it was given.
    Writable(LaneId),
    /// The lane was reset by the peer, or by this machine at a limit; it is gone, its bytes too.
    Reset {
        /// The lane.
        lane: LaneId,
        /// Why.
        reset: Reset,
    },
    /// Both directions finished and were read to their end; the lane is gone.
    Done(LaneId),
    /// The peer opens no more lanes for us and will go; lanes that exist go on.
    GoAway {
        /// A code of `postern_ids::Ended`.
        code: u16,
        /// For people.
        hint: String,
    },
    /// A part of the peer's inventory: whole entries (`stream::inventory` reads them).
    Inventory {
        /// The entries.
        entries: Bytes,
        /// No more parts follow.
        last: bool,
    },
    /// New grant keys, signed by a pinned one; opaque here.
    Keys(Bytes),
    /// The peer ends a session, attached or detached.
    Kill {
        /// The session.
        session: SessionId,
        /// A code of `postern_ids::Ended`.
        code: u16,
    },
    /// The peer ran into a limit of ours and was refused (`limit.hit`).
    LimitHit(&'static str),
    /// The link is over; said once, and the last event.
    Closed(LinkEnd),
}

/// Why a lane was cut, and what that means for a stream on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// A code of `postern_ids::Ended`.
    pub code: u16,
    /// Whether a resumable stream survives it.
    pub class: ResetClass,
}

/// Who ended a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// `close` was called here.
    Us,
    /// The peer closed the WebSocket, or the transport ended.
    Peer,
    /// The peer broke the protocol and was told so.
    Violation,
    /// The peer fell silent, or a write was stuck.
    Timeout,
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnd {
    /// Who ended it.
    pub by: EndedBy,
    /// The WebSocket close code.
    pub code: u16,
    /// The close reason: short, never a secret.
    pub reason: Cow<'static, str>,
}
