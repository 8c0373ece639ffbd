//! Storms: gateways are killed at random moments while people copy and type, and everything is counted.

mod copies;
mod report;
mod storm;

pub use copies::{Copied, Copies, Direction, random_file, sha256};
pub use report::{Report, Stall};
pub use storm::{Storm, freeze, partitions};
