//! Frames: the units that a WebSocket binary message is made of (`docs/protocol.md`, "Frames").
//!
//! The decoder reads what a hostile peer wrote, so nothing in this room can panic, index, wrap around or narrow.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod cursor;
mod decode;
mod encode;
mod error;
mod header;
mod hello;
mod text;

pub use decode::{Frame, frames};
pub use encode::Transmit;
pub use error::FrameError;
pub use header::{HEADER_LEN, Header, Kind, LaneId};
pub use hello::Hello;
pub use text::text;

pub(crate) use cursor::Cursor;

/// A frame's payload is at most this long: a 64 KiB write costs half of sixteen 4 KiB writes.
pub const PAYLOAD_MAX: usize = 64 * 1024;
/// A message is at most this long; a sender stops packing frames long before.
pub const MESSAGE_MAX: usize = 128 * 1024;
/// Metadata of Open and Opened: two of the largest tokens (8 KiB).
pub const METADATA_MAX: usize = 16 * 1024;
/// Early data in Open: an SSH banner, a TLS ClientHello or an HTTP request head.
pub const EARLY_MAX: usize = 16 * 1024;
/// Text and details for people or logs.
pub const TEXT_MAX: usize = 256;
/// No window may be granted beyond this many bytes.
pub const CREDIT_MAX: u32 = 0x7fff_ffff;

/// What a reset means for a resumable stream that rides on the lane; plain lanes end either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetClass {
    /// Only the transport went away: the stream may be resumed on another lane.
    Detach,
    /// The stream is over at both ends.
    End,
}
