//! The handle to a link, and what its peer asks for.

use crate::Lane;
use bytes::Bytes;
use postern_ids::SessionId;
use std::time::Duration;

/// The limits of one link; the default is the documented one.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// How many lanes the peer may have open at once; further ones are refused with `limit`.
    pub peer_lanes_max: u32,
    /// Silence after which a Ping is sent.
    pub ping_after: Duration,
    /// Silence after which the link is dead.
    pub dead_after: Duration,
    /// How long a write may make no progress before the link is dead.
    pub stuck_after: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            peer_lanes_max: 16_384,
            ping_after: Duration::from_secs(3),
            dead_after: Duration::from_secs(9),
            stuck_after: Duration::from_secs(30),
        }
    }
}

/// What an opening lane carries.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// Lanes of one flow share its part of the link.
    pub flow: u64,
    /// What the peer decides by.
    pub metadata: Bytes,
    /// First bytes of the stream, held by the peer until it accepts; at most 16 KiB.
    pub early: Bytes,
}

/// An accepted lane.
#[derive(Debug)]
pub struct Opened {
    /// The lane.
    pub lane: Lane,
    /// The peer's answer.
    pub metadata: Bytes,
}

/// Why a lane was not opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The peer refused it.
    #[error("the peer refused the lane with code {code}")]
    Refused {
        /// The peer's code.
        code: u16,
        /// The peer's explanation.
        detail: Bytes,
    },
    /// The link ended first, or its peer is going away.
    #[error("the link ended before the lane was answered")]
    LinkLost,
    /// The peer admits no more lanes on this link, or the request is larger than a frame.
    #[error("the link admits no further lane")]
    Limit,
}

/// Who ended a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// This side.
    Us,
    /// The peer, with a close of its own or by breaking the protocol.
    Peer,
    /// Neither: the connection died.
    Network,
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnded {
    /// The WebSocket close code; 1006 when there was none.
    pub code: u16,
    /// The reason given with it; for logs.
    pub reason: String,
    /// Who ended it.
    pub by: Blame,
}

/// The handle to one live link. Clones share it; the link lives until it is closed or lost, with or without handles.
#[derive(Debug, Clone)]
pub struct Link;

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl Link {
    /// Opens a lane and waits for the peer's answer. Dropping the future takes the request back.
    pub async fn open(&self, _open: Open) -> Result<Opened, OpenError> {
        todo!()
    }

    /// Tells the peer to open no further lanes here; the open ones go on.
    pub fn go_away(&self, _code: u16, _hint: &str) {
        todo!()
    }

    /// Ends the link with this close code; every lane on it is lost.
    pub fn close(&self, _code: u16, _reason: &str) {
        todo!()
    }

    /// Waits for the link's end.
    pub async fn closed(&self) -> LinkEnded {
        todo!()
    }

    /// Whether the link has ended.
    pub fn is_closed(&self) -> bool {
        todo!()
    }

    /// Tells the peer to destroy everything it holds of this session.
    pub fn kill(&self, _session: SessionId, _code: u16) {
        todo!()
    }

    /// How many lanes are open.
    pub fn lanes(&self) -> usize {
        todo!()
    }

    /// The last measured round trip.
    pub fn rtt(&self) -> Option<Duration> {
        todo!()
    }

    /// Sends the list of held streams.
    pub fn send_inventory(&self, _inventory: Bytes) {
        todo!()
    }
}

/// What the peer of a link asks for, in order.
#[derive(Debug)]
pub struct Incoming;

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl Incoming {
    /// The next request; `None` when the link has ended.
    pub async fn next(&mut self) -> Option<Event> {
        todo!()
    }
}

/// One request of the peer.
#[derive(Debug)]
pub enum Event {
    /// It opens a lane.
    Open(IncomingLane),
    /// It wants no further lanes here.
    GoAway {
        /// Why.
        code: u16,
        /// Where to go instead; for logs.
        hint: String,
    },
    /// It lists the streams that it holds.
    Inventory(Bytes),
    /// It orders the end of a session.
    Kill {
        /// The session.
        session: SessionId,
        /// The code of the session's end.
        code: u16,
    },
}

/// A lane that waits for our answer. Dropping it refuses the lane.
#[derive(Debug)]
pub struct IncomingLane {
    /// The flow that the peer put it in.
    pub flow: u64,
    /// What to decide by.
    pub metadata: Bytes,
    /// First bytes of the stream: the accepter passes them on before anything it reads from the lane.
    pub early: Bytes,
}

#[expect(clippy::todo, reason = "signatures ahead of the driver")]
impl IncomingLane {
    /// Accepts the lane and answers with `metadata`.
    pub fn accept(self, _metadata: Bytes) -> Lane {
        todo!()
    }

    /// Refuses the lane.
    pub fn refuse(self, _code: u16, _detail: &[u8]) {
        todo!()
    }
}
