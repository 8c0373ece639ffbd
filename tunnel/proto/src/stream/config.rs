//! What a stream is told at its start, and what it tells.

use crate::Budget;
use std::time::Duration;

/// How much a stream may hold, and how long it waits.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes that may wait for their acknowledgement. A stream moves at most this many per round trip.
    pub replay_max: usize,
    /// Bytes that the peer may send beyond what was read here; 64 KiB at least. A stream moves at most this many per round
    /// trip.
    pub unread_max: usize,
    /// An Ack is due after this many accepted bytes …
    pub ack_bytes: usize,
    /// … or this long after the first of them.
    pub ack_after: Duration,
    /// A stream that no lane carries is over after this long; one that is over is remembered for a little longer.
    pub window: Duration,
    /// What the streams of the whole process hold: sent and not acknowledged, or received and not read.
    pub budget: Budget,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            replay_max: 4 * 1024 * 1024,
            unread_max: 4 * 1024 * 1024,
            ack_bytes: 64 * 1024,
            ack_after: Duration::from_millis(20),
            window: Duration::from_secs(120),
            budget: Budget::default(),
        }
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// A code of `postern_ids::Ended`; 1000 when both directions finished.
    pub code: u16,
    /// For a log line.
    pub reason: &'static str,
}

/// News for the shell. `Readable` and `Writable` are said once until the shell acts on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A lane carries the stream: bytes flow in both directions.
    Attached {
        /// Its generation.
        generation: u32,
    },
    /// No lane carries the stream: reset its lane with *detach* if it is still there; a client attaches again, if it wants
    /// a lane.
    Detached,
    /// `read` has something: bytes, or the end.
    Readable,
    /// `write` takes bytes again after it took less than it was given.
    Writable,
    /// The stream is over; said once. What was accepted before an orderly end can still be read.
    Over(Over),
    /// Nobody can ask for this stream any more: forget it.
    Forget,
}

/// How a lane ended under a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneEnd {
    /// The link died, the lane was reset with *detach*, or it ended too early.
    Detached,
    /// The lane was reset for good, or never opened, with this code.
    Ended(u16),
}

/// What `poll_transmit` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Nothing to send.
    Idle,
    /// Records were appended: write all of them to the lane of this generation.
    Records,
    /// The last record is sent: finish the lane.
    FinishLane,
}
