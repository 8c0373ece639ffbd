//! Resumable streams at run time: one task at each end carries a TCP connection, or a pair of pipes, over whichever lane
//! is the newest (`docs/protocol.md`, "Resumable streams").
//!
//! The connector [`hold`]s a stream and lets each newer lane [`attach`](Held::attach); the client [`carry`]s it and opens
//! a lane again whenever the last one went away. Neither knows why a lane is allowed: whoever calls has compared keys and
//! sessions before.

mod arrival;
mod carry;
mod engine;
mod hold;
mod key;
mod local;

pub use arrival::{Arrival, Rejected, read_attach};
pub use carry::{Attempt, Carry, Connect, ConnectError, carry};
pub use hold::{Held, Terms, hold};
pub use key::{KeyError, StreamKey, verify_proof};
pub use local::{Local, Pipes};
pub use postern_tunnel_proto::stream::{Attach, Config as StreamConfig, Over, PROOF_FAILED, SUPERSEDED};

/// How a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// A lane of this generation carries it.
    Attached {
        /// The generation.
        generation: u32,
    },
    /// No lane carries it; this was the last one's generation.
    Detached {
        /// The generation.
        generation: u32,
    },
    /// It is over.
    Over(Over),
}

/// A stream that is over, and what it carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDone {
    /// Bytes from the client to the target, as far as they came on this side.
    pub up: u64,
    /// Bytes from the target to the client, as far as they came on this side.
    pub down: u64,
    /// How it ended: a code of `postern_ids::Ended`, or the code of the refusal that the client took as final.
    pub over: Over,
}
