//! One process at a time refreshes tokens or asks a person to sign in.

use super::Home;
use crate::failure::Failure;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    time::{Duration, Instant, SystemTime},
};

const FILE: &str = "lock";
const POLL: Duration = Duration::from_millis(50);

/// The lock; given back when dropped, or when its process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody holds it.
    pub fn try_take(home: &Home) -> Result<Option<Self>, Failure> {
        let failed = |e: io::Error| Failure::usage(format!("{}: {e}", home.file(FILE).display()));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(home.file(FILE));
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
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

    /// Whether the person was asked since then, and did not sign in: once is enough for all commands that had begun.
    pub fn was_asked_in_vain(&self, began: SystemTime) -> bool {
        let asked =
            self.file.metadata().ok().filter(|file| file.len() > 0).and_then(|file| file.modified().ok());
        // A time to come is of a clock that was set back meanwhile, and says nothing.
        asked.is_some_and(|asked| (began..=SystemTime::now()).contains(&asked))
    }

    /// Notes that the person is asked to sign in, or was a moment ago.
    pub fn note_asked(&self) -> Result<(), Failure> {
        let noted = self.file.set_len(1).and_then(|()| self.file.set_modified(SystemTime::now()));
        noted.map_err(|error| cannot_note(&error))
    }

    /// Notes that they have signed in.
    pub fn note_settled(&self) -> Result<(), Failure> {
        self.file.set_len(0).map_err(|error| cannot_note(&error))
    }
}

fn cannot_note(error: &io::Error) -> Failure {
    Failure::usage(format!("the lock cannot be written: {error}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn who_was_asked_is_asked_by_no_command_that_had_begun() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&dir.path().join("state"))).unwrap();
        let now = SystemTime::now();
        let (before, after, later) = (now - HOUR, now + HOUR, now + 2 * HOUR);
        let lock = Lock::try_take(&home).unwrap().unwrap();
        assert!(Lock::try_take(&home).unwrap().is_none());
        assert!(!lock.was_asked_in_vain(before), "nobody was asked");
        lock.note_asked().unwrap();
        drop(lock);
        let next = Lock::try_take(&home).unwrap().unwrap();
        assert!(next.was_asked_in_vain(before) && !next.was_asked_in_vain(after));
        next.file.set_modified(later).unwrap();
        assert!(!next.was_asked_in_vain(before), "the clock was set back");
        next.note_settled().unwrap();
        assert!(!next.was_asked_in_vain(before), "they signed in");
    }
}
