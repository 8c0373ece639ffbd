//! The board that a running connector's tasks write on, and the file that it is kept in.

use super::{Failure, LinkState, Status};
use postern_ids::Timestamp;
use postern_private_file as private_file;
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::Notify, time};

/// The file in the state directory.
pub const STATUS_FILE: &str = "status.json";

/// The status of the running process, shared by its tasks.
#[derive(Debug)]
pub struct Board {
    status: Mutex<Status>,
    changed: Notify,
}

impl Board {
    /// A board that shows `status`.
    pub fn new(status: Status) -> Self {
        Self { status: Mutex::new(status), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of what it shows now.
    pub fn read(&self) -> Status {
        self.lock().clone()
    }

    /// Changes what it shows.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Sets the state of one link.
    pub fn link(&self, index: usize, state: LinkState, failure: Option<String>) {
        let at = machine_now();
        self.update(|status| {
            let Some(link) = status.links.get_mut(index) else { return };
            if link.state != state {
                (link.state, link.since) = (state, at);
            }
            if let Some(reason) = failure {
                link.last_failure = Some(Failure { at, reason });
            }
        });
    }

    /// Writes the file in `state_dir`. A full disk must not end sessions, so a failure is only logged.
    pub fn write_file(&self, state_dir: &Path) {
        if let Ok(text) = serde_json::to_vec_pretty(&self.read())
            && let Err(error) = private_file::write(&state_dir.join(STATUS_FILE), &text)
        {
            tracing::warn!(%error, "the status file could not be written");
        }
    }

    /// Keeps the file in `state_dir` up to date until dropped; bursts of changes cost one write.
    pub async fn keep_file(&self, state_dir: &Path) {
        loop {
            self.write_file(state_dir);
            time::sleep(Duration::from_millis(200)).await;
            self.changed.notified().await;
        }
    }
}

/// This machine's clock.
pub fn machine_now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
