//! Lane to lane: what the gateway does with an admitted session.

use crate::{Cut, Lane};
use postern_ids::Ended;
use std::io;

/// One of the two ends that bytes are carried between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first argument of [`forward`]; the lane of [`splice`](crate::splice()).
    A,
    /// The second argument of [`forward`]; the TCP connection of [`splice`](crate::splice()).
    B,
}

/// How carrying bytes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardEnd {
    /// Both directions were closed in order.
    Finished,
    /// The cut was given.
    Cut(Ended),
    /// The lane of this side was reset by its peer.
    Reset {
        /// The side.
        by: Side,
        /// The peer's code.
        code: u16,
    },
    /// The link under the lane of this side ended.
    LinkLost {
        /// The side.
        by: Side,
    },
    /// The TCP connection broke.
    Tcp(io::ErrorKind),
}

/// What was carried, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// Bytes from A to B.
    pub up: u64,
    /// Bytes from B to A.
    pub down: u64,
    /// The end.
    pub end: ForwardEnd,
}

/// Carries bytes between two lanes until both directions are closed, one of them is lost, or the cut is given; the
/// cut's code is then the reset code on both lanes. Bytes are taken from one lane only as the other has credit for
/// them, so that a slow reader slows its own writer and nothing is queued here.
#[expect(clippy::todo, reason = "signatures ahead of the driver")]
pub async fn forward(_a: Lane, _b: Lane, _cut: Cut) -> Forwarded {
    todo!()
}
