//! A whole gateway on loopback: real TLS, an embedded store, real links on both sides.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod apps;
mod connectors;
mod detached;
mod holdings;
mod hostile;
mod outage;
mod policy;
mod process;
mod public_port;
mod resume;
mod sessions;
mod siblings;
mod support;
mod tickets;
mod weight;
