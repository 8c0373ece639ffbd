//! Frames: the units that a WebSocket binary message is made of (`docs/protocol.md`, "Frames").

use std::fmt;

/// The number of one lane on its link: odd when the dialing side opened it, even when the accepting side did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u32);

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {}", self.0)
    }
}

/// What a reset means for a resumable stream that rides on the lane; plain lanes end either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetClass {
    /// Only the transport went away: the stream may be resumed on another lane.
    Detach,
    /// The stream is over at both ends.
    End,
}
