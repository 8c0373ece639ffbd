//! How links end, and why lanes do not begin.

use bytes::Bytes;

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
    /// The link ended, or is going away.
    #[error("the link ended before the lane was answered")]
    LinkLost,
    /// The peer admits no more lanes on this link, or the request is too long.
    #[error("the link admits no such lane")]
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
