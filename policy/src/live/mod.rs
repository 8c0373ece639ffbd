//! The table of live sessions: every session stands in it from before its last check until its end, so that a change of
//! policy, a revocation or the passing of time always finds it.

mod cut;
mod entry;
mod filter;
mod memo;
mod pass;
mod shard;
mod shards;
mod table;

pub use cut::Cut;
pub use filter::{Filter, LiveView};
pub use pass::Pass;
pub use table::{Current, LiveTable};
