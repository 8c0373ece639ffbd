//! The tunnel's tokio shell: dial and accept links, drive them (one task per link), and move bytes between lanes and
//! sockets.
//!
//! It carries opaque bytes. It must never know why a lane is allowed, nor what a token means.
#![forbid(unsafe_code)]

mod accept;
mod cut;
mod dial;
mod forward;
mod lane;
mod link;
mod splice;
pub mod tls;

pub use accept::{SUBPROTOCOL, UpgradeRefused, accept, upgrade_response};
pub use cut::Cut;
pub use dial::{Challenge, Credentials, Dial, DialError, Proxy, Refused, dial};
pub use forward::{ForwardEnd, Forwarded, Side, forward};
pub use lane::Lane;
pub use link::{Blame, Event, Incoming, IncomingLane, Link, LinkConfig, LinkEnded, Open, OpenError, Opened};
pub use splice::splice;
