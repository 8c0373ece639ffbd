//! What was carried between two ends, and how it ended.

use crate::shared::LaneEnd;
use postern_ids::Ended;
use postern_tunnel_proto::{Reset, ResetClass};
use std::io;

/// One of the two ends that bytes are carried between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first argument of [`forward`](crate::forward()); the lane of [`splice`](crate::splice()).
    A,
    /// The second argument of [`forward`](crate::forward()); the TCP connection of [`splice`](crate::splice()).
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
        /// A resumable stream goes on without this lane.
        detach: bool,
    },
    /// The link under the lane of this side ended.
    LinkLost {
        /// The side.
        by: Side,
    },
    /// The TCP connection broke.
    Tcp(io::ErrorKind),
    /// Both lanes were let go by order, with this code; the resumable stream goes on without them.
    Detached(u16),
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

/// What the end of a lane means for what it carried.
pub(crate) fn lane_end(by: Side, end: LaneEnd) -> ForwardEnd {
    match end {
        LaneEnd::Done => ForwardEnd::Finished,
        LaneEnd::Reset(Reset { code, class }) => {
            ForwardEnd::Reset { by, code, detach: class == ResetClass::Detach }
        }
        LaneEnd::LinkLost => ForwardEnd::LinkLost { by },
    }
}
