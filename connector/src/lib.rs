//! The agent in a private network: it enrolls once, dials out to its gateways, and connects the targets that a signed
//! grant asks for and its own allow-list admits. It never listens.
#![forbid(unsafe_code)]

pub mod address;
pub mod allow;
pub mod backoff;
pub mod gateway_clock;
pub mod target;
