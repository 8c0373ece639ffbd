//! A running connector against gateways of a few lines, over the real tunnel.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod attach;
mod client;
mod detached;
mod endings;
mod gateway;
mod inventory;
mod renewal;
mod running;
mod serving;
mod target;
