//! The ways in. Each finds out who asks and for what, and then asks the one door.

pub mod browser;
pub mod client;
mod facts;
mod tokens;
