//! The conditions of one way through the proxy.

use std::num::NonZeroU64;
use std::time::Duration;

/// Which way conditions hold for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From who dialed.
    Up,
    /// Towards who dialed.
    Down,
    /// Both.
    Both,
}

/// What happens to what passes one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path {
    /// How much later it arrives.
    pub delay: Duration,
    /// Up to so much later still, by chance; what comes later never overtakes.
    pub jitter: Duration,
    /// No faster than this.
    pub bytes_per_second: Option<NonZeroU64>,
    /// Of a hundred pieces so many are lost the first time and come after a retransmission.
    pub loss_percent: u8,
    /// Nothing passes and nothing ends. What was sent meanwhile passes when this is over.
    pub is_blocked: bool,
}

impl Path {
    /// Later by this.
    pub fn delayed(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// A silent partition.
    pub fn blocked() -> Self {
        Self { is_blocked: true, ..Self::default() }
    }

    /// No faster than so many bytes a second; a limit of 0 is none.
    pub fn throttled(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: NonZeroU64::new(bytes_per_second), ..Self::default() }
    }
}
