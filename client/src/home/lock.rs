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
    file: File,
    /// Somebody else held it before.
    is_handed_on: bool,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub fn try_take(home: &Home) -> Result<Option<Self>, Failure> {
        let failed = |e: std::io::Error| Failure::usage(format!("{}: {e}", home.file(FILE).display()));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(home.file(FILE));
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, is_handed_on: false })),
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
        let mut is_handed_on = false;
        loop {
            if let Some(lock) = Self::try_take(home)? {
                if !is_handed_on {
                    lock.note_settled()?;
                }
                return Ok(Some(Self { is_handed_on, ..lock }));
            }
            is_handed_on = true;
            if !needed() || start.elapsed() >= max {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether the person was asked while this command waited, and did not sign in: once is enough for all that wait.
    pub fn was_asked_in_vain(&self) -> bool {
        self.is_handed_on && self.file.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// Notes that the person is asked to sign in, for those that wait, until they have.
    pub fn note_asking(&self) -> Result<(), Failure> {
        self.note(1)
    }

    /// Notes that nobody is asked any more.
    pub fn note_settled(&self) -> Result<(), Failure> {
        self.note(0)
    }

    fn note(&self, length: u64) -> Result<(), Failure> {
        self.file.set_len(length).map_err(|e| Failure::usage(format!("the lock cannot be written: {e}")))
    }
}
