//! How long a command that begins waits for a gateway that is not there: most likely it restarts.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

/// A gateway that restarts is back sooner; whoever typed a wrong port wants to know.
const BEGIN_MAX: Duration = Duration::from_secs(5);
/// Before a person is told what the command waits for.
const QUIET: Duration = Duration::from_secs(1);

/// What is left of the wait.
#[derive(Debug)]
pub(crate) struct Patience {
    since: Instant,
    max: Duration,
    is_told: bool,
}

impl Patience {
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), max: BEGIN_MAX, is_told: false }
    }

    /// For whoever has something better to do than to wait.
    pub(crate) fn none() -> Self {
        Self { max: Duration::ZERO, ..Self::begin() }
    }

    /// Whether to try again; the person is told when it takes long.
    pub(crate) fn lasts(&mut self) -> bool {
        let waited = self.since.elapsed();
        if waited >= self.max {
            return false;
        }
        if waited >= QUIET && !std::mem::replace(&mut self.is_told, true) {
            eprintln!("postern: the gateway is not there, trying for {} s …", self.max.as_secs());
        }
        true
    }
}

/// Whether a connection that failed so met nobody who could have said anything. A name or certificate that is wrong does
/// not become right.
pub(crate) fn is_absence(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
    )
}
