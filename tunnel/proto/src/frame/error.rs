//! What can be wrong with a frame.

/// What is wrong with a frame; the answer to each is 1002.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message ends inside a header or payload.
    #[error("frame: truncated")]
    Truncated,
    /// No frame has this kind.
    #[error("frame: unknown kind")]
    UnknownKind,
    /// A flag is set that means nothing.
    #[error("frame: reserved flag")]
    ReservedFlags,
    /// The payload, or a field of it, is longer than allowed.
    #[error("frame: too long")]
    TooLong,
    /// A lane's frame on lane 0, or the link's frame on a lane.
    #[error("frame: wrong lane")]
    WrongLane,
    /// The payload is not what its kind asks for.
    #[error("frame: malformed {0}")]
    Malformed(&'static str),
}
