//! What the commands of a link take and answer.

use bytes::Bytes;
use std::borrow::Cow;

/// What Open carries.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// The flow group: lanes of one group share one fair part of the link.
    pub flow: u64,
    /// For the layer above, at most 16 KiB.
    pub metadata: Bytes,
    /// The stream's first bytes, at most 16 KiB.
    pub early: Bytes,
}

/// Why a lane could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The peer's Hello has not come yet: wait for `Established`.
    #[error("the link is not established yet")]
    NotEstablished,
    /// The peer's limit of lanes is reached.
    #[error("the peer takes no more lanes")]
    LanesMax,
    /// GoAway was sent or received, or the lane numbers are used up.
    #[error("the link is going away")]
    GoingAway,
    /// The link is over.
    #[error("the link is closed")]
    Closed,
    /// Metadata or early data is longer than 16 KiB.
    #[error("metadata or early data is too long")]
    TooLong,
}

/// What `poll_transmit` has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to send.
    Idle,
    /// The message was written into the `Transmit`: send it as one binary message.
    Message,
    /// Send this WebSocket close frame and stop; nothing follows.
    Close {
        /// The close code.
        code: u16,
        /// The close reason.
        reason: Cow<'static, str>,
    },
}
