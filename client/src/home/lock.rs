//! One process at a time refreshes tokens or asks a person to sign in.

use super::Home;
use crate::failure::Failure;
use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    time::{Duration, Instant},
};

const FILE: &str = "lock";
const POLL: Duration = Duration::from_millis(50);

/// The lock; given back when dropped, or when its process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub fn try_take(home: &Home) -> Result<Option<Self>, Failure> {
        let failed = |e: std::io::Error| Failure::usage(format!("{}: {e}", home.file(FILE).display()));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(home.file(FILE));
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// Waits for the lock, but no longer than `max`, and only while `needed` says so: what the holder does may make it
    /// needless.
    pub async fn take(
        home: &Home,
        max: Duration,
        mut needed: impl FnMut() -> bool,
    ) -> Result<Option<Self>, Failure> {
        let start = Instant::now();
        loop {
            if let Some(lock) = Self::try_take(home)? {
                return Ok(Some(lock));
            }
            if !needed() || start.elapsed() >= max {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
