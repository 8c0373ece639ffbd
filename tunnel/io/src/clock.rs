//! The clock of every link; a test can pause it.

use std::time::Instant;

/// The time now.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
