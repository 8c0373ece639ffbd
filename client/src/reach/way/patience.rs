//! How long a command that begins waits for a gateway that is not there: most likely it restarts.

use std::time::{Duration, Instant};

/// A gateway that restarts is back sooner; whoever typed a wrong port wants to know.
const BEGIN_MAX: Duration = Duration::from_secs(5);
/// Before a person is told what the command waits for.
const QUIET: Duration = Duration::from_secs(1);

/// What is left of the wait.
#[derive(Debug)]
pub(super) struct Patience {
    since: Instant,
    is_told: bool,
}

impl Patience {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), is_told: false }
    }

    /// Whether to try again; the person is told when it takes long.
    pub(super) fn lasts(&mut self) -> bool {
        let waited = self.since.elapsed();
        if waited >= BEGIN_MAX {
            return false;
        }
        if waited >= QUIET && !std::mem::replace(&mut self.is_told, true) {
            eprintln!("postern: the gateway is not there, trying for {} s …", BEGIN_MAX.as_secs());
        }
        true
    }
}
