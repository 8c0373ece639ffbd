//! This machine's clock.

use postern_ids::Timestamp;
use std::time::SystemTime;

/// The time now.
pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
