//! What a link is told when it is made: its side, its limits and its timers.

use crate::Budget;
use std::time::Duration;

/// Which end of the link this machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It dialed: its lanes have odd numbers.
    Dialer,
    /// It accepted the dial: its lanes have even numbers.
    Acceptor,
}

/// The protocol versions that a side speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub min: u16,
    /// The newest.
    pub max: u16,
}

impl Versions {
    /// What this implementation speaks.
    pub const OURS: Self = Self { min: 1, max: 1 };
}

/// How much a link may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Lanes that the peer may have open at once; one more is refused with `limit`.
    pub lanes_max: u32,
    /// The receive window that every lane starts with, in bytes.
    pub window: u32,
    /// The receive window that a lane may grow to, in bytes.
    pub window_max: u32,
    /// Bytes that the link may hold in all its lanes, both directions.
    pub buffered_max: usize,
    /// Bytes that a lane may hold for sending.
    pub send_buffer: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lanes_max: 65_536,
            window: 256 * 1024,
            window_max: 8 * 1024 * 1024,
            buffered_max: 32 * 1024 * 1024,
            send_buffer: 256 * 1024,
        }
    }
}

/// How many lanes a peer may open over time: a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Churn {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens that the bucket holds.
    pub burst: u32,
}

impl Default for Churn {
    fn default() -> Self {
        Self { per_second: 200, burst: 400 }
    }
}

/// When silence means something.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat {
    /// The peer's Hello must have come by then.
    pub handshake: Duration,
    /// A ping is sent after this much silence.
    pub ping_after: Duration,
    /// The link is dead after this much silence.
    pub dead_after: Duration,
    /// The link is dead when a write makes no progress for this long.
    pub stuck_after: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            ping_after: Duration::from_secs(3),
            dead_after: Duration::from_secs(9),
            stuck_after: Duration::from_secs(30),
        }
    }
}

/// Everything that a link needs to know at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which end this is.
    pub side: Side,
    /// The versions it speaks.
    pub versions: Versions,
    /// How much it may hold.
    pub limits: Limits,
    /// How fast the peer may open lanes; `None` does not limit it (a gateway's lanes towards a connector).
    pub churn: Option<Churn>,
    /// Its timers.
    pub heartbeat: Heartbeat,
    /// The buffered bytes of the whole process, shared by all its links.
    pub budget: Budget,
}

impl Config {
    /// The documented defaults for `side`, with a budget of its own. The accepting side does not trust its peer with
    /// many lanes; the dialing side chose whom it dialed.
    pub fn new(side: Side) -> Self {
        let (lanes_max, churn) = match side {
            Side::Dialer => (65_536, None),
            Side::Acceptor => (256, Some(Churn::default())),
        };
        Self {
            side,
            versions: Versions::OURS,
            limits: Limits { lanes_max, ..Limits::default() },
            churn,
            heartbeat: Heartbeat::default(),
            budget: Budget::default(),
        }
    }
}
