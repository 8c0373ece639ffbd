//! The streams that this process holds: which there are, who may take one over, and who is told about it.
//!
//! A stream outlives the lane it came on, so it is found by its own id: by the next lane of its client, by the gateways
//! that hear of it ([`announce`]), and for a while after its end by a client that missed it.

pub mod announce;
mod past;
mod slots;
mod standing;
mod table;

pub use past::Past;
pub use slots::Settings;
pub use standing::{Grant, Stream};
pub use table::{Claim, Opening, Streams};
