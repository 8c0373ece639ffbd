//! The tunnel protocol as a state machine: frames, lanes, credit, fairness, heartbeat and resumable streams.
//!
//! `docs/protocol.md` specifies every byte. Nothing here knows a clock, a socket, WebSocket, tokio, a user or a policy:
//! time is an argument, bytes come in through `handle_*` and leave through `poll_*`.
#![forbid(unsafe_code)]

mod budget;
pub mod frame;
pub mod inventory;
mod io;
pub mod link;
mod room;
pub mod stream;

pub use budget::Budget;
pub use frame::{LaneId, ResetClass, Transmit};
pub use io::{LaneGone, Read, WriteError};
pub use link::{
    Churn, Config, EndedBy, Event, Heartbeat, Limits, Link, LinkEnd, Open, OpenError, Outcome, Reset, Side,
    Versions,
};
pub use room::give_back;

/// Some instant for unit tests, where only differences matter.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
pub(crate) fn epoch() -> std::time::Instant {
    std::time::Instant::now()
}
