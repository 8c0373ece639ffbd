//! The tunnel's tokio shell: dial and accept links, drive them (one task per link), and move bytes between lanes and
//! sockets.
//!
//! It carries opaque bytes. It must never know why a lane is allowed, nor what a token means.
#![forbid(unsafe_code)]

mod accept;
mod backoff;
mod carried;
mod clock;
mod cut;
mod dial;
mod driver;
mod ended;
mod forward;
mod incoming;
mod lane;
mod link;
mod pool;
mod proven;
mod pump;
mod read_ahead;
mod requests;
mod shared;
mod socket;
mod splice;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod tls;
mod tune;

pub use accept::{SUBPROTOCOL, UpgradeRefused, accept, upgrade_response};
pub use backoff::Backoff;
pub use carried::{ForwardEnd, Forwarded, Side};
pub use cut::{Cut, Detach};
pub use dial::{Challenge, Credentials, Dial, DialError, Proxy, Refused, Stream, connect, connect_tcp, dial};
pub use ended::{Blame, LinkEnded, OpenError};
pub use forward::{forward, forward_resumable};
pub use incoming::{Event, Incoming, IncomingLane};
pub use lane::{Lane, LaneReset};
pub use link::{Link, LinkConfig, Opened};
pub use postern_tunnel_proto::{Budget, Churn, Heartbeat, Limits, Open, give_back, inventory};
pub use read_ahead::ReadAhead;
pub use splice::splice;
pub use tune::{connect_address, tune_end, tune_listener, tune_socket};
