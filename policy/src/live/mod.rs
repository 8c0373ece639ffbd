//! The table of live sessions: every session stands in it from before its last check until its end, so that a change of
//! policy, a revocation or the passing of time always finds it.

mod entry;
mod filter;
mod memo;
mod pass;
mod shard;
mod table;

pub use filter::{Filter, LiveView};
pub use pass::{Cut, Pass};
pub use table::{Current, LiveTable};
