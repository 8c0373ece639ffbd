//! What a link answers to a peer that breaks the rules: always a code and a reason, never a panic, never more memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod connectors;
mod floods;
mod flow;
mod frames;
#[path = "../pair/mod.rs"]
mod pair;
mod peer;
mod silence;
