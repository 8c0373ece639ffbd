//! Every hostile token of the attack catalogue, each with its one answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../forge/mod.rs"]
mod forge;

mod claims;
mod header;
mod kind;
mod signature;
mod size;
mod stranger;
