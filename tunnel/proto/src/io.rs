//! What reading and writing answer, for lanes and for streams.

use bytes::Bytes;

/// The lane was reset, refused or done, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lane is gone")]
pub struct LaneGone;

/// Why bytes were not taken for sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The lane is gone.
    #[error("the lane is gone")]
    Gone,
    /// The lane is not open yet, or `finish` was called.
    #[error("the lane does not take bytes")]
    NotWritable,
}

/// What a lane has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Bytes, in order.
    Chunk(Bytes),
    /// Nothing yet: wait for `Readable`.
    Blocked,
    /// The peer finished; said after its last byte.
    Finished,
}
