//! One small file for each command that carries streams, so that `postern status` can tell how they stand. A file is its
//! command's as long as that holds its lock: whatever way it ends in, the system gives the lock back.

use super::Home;
use crate::failure::Failure;
use postern_api::Time;
use postern_private_file as private_file;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirEntry, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    time::Duration,
};

const DIRECTORY: &str = "run";
/// Every file has this size, so that a change is one write.
const FILE_BYTES: usize = 512;
/// A file without words is about to get them, unless it is older than this.
const EMPTY_MAX: Duration = Duration::from_secs(60);

/// A command that carries streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Where the streams lead.
    pub resource: String,
    /// How many there are.
    pub streams: u32,
    /// Since when there is one at all.
    pub since: Time,
    /// How many wait for a new link to the gateway.
    pub reconnecting: u32,
    /// Since when one of them does.
    pub reconnecting_since: Option<Time>,
}

/// This command's file; gone when it is dropped.
#[derive(Debug)]
pub struct RunFile {
    file: File,
    path: PathBuf,
}

impl RunFile {
    /// Makes the file, and removes those of commands that are gone.
    pub fn create(home: &Home, running: &Running) -> Result<Self, Failure> {
        let directory = home.file(DIRECTORY);
        private_file::ensure_dir(&directory)?;
        live(home);
        let path = directory.join(format!("{}-{:08x}", running.pid, rand::random::<u32>()));
        let failed = |error: io::Error| Failure::usage(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let created = Self { file, path: path.clone() };
        created.file.lock().map_err(failed)?;
        created.update(running)?;
        Ok(created)
    }

    /// Says how the streams stand.
    pub fn update(&self, running: &Running) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(running).map_err(|error| Failure::usage(error.to_string()))?;
        text.resize(FILE_BYTES.max(text.len()), b' ');
        let written = self.file.write_all_at(&text, 0);
        written.map_err(|error| Failure::usage(format!("{}: {error}", self.path.display())))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The commands of this account that carry streams, by resource. Files of those that are gone are removed.
pub fn live(home: &Home) -> Vec<Running> {
    let entries = fs::read_dir(home.file(DIRECTORY)).into_iter().flatten().flatten();
    let mut found: Vec<Running> = entries.filter_map(|entry| read(&entry)).collect();
    found.sort_by(|a, b| (&a.resource, a.pid).cmp(&(&b.resource, b.pid)));
    found
}

fn read(entry: &DirEntry) -> Option<Running> {
    let path = entry.path();
    let text = private_file::read(&path).ok()??;
    let running = serde_json::from_slice::<Running>(&text).ok();
    // A lock that can be shared is nobody's.
    let is_gone = File::open(&path).ok()?.try_lock_shared().is_ok();
    let is_old = || entry.metadata().and_then(|found| found.modified()).ok()?.elapsed().ok();
    if !is_gone {
        return running;
    }
    if running.is_some() || is_old().is_some_and(|age| age > EMPTY_MAX) {
        let _ = fs::remove_file(&path);
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use postern_ids::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    fn running(reconnecting: u32) -> Running {
        let at = Time(Timestamp::from_secs(1_000));
        let reconnecting_since = (reconnecting > 0).then_some(at);
        Running { pid: 1, resource: "db".into(), streams: 2, since: at, reconnecting, reconnecting_since }
    }

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&dir.path().join("state"))).unwrap();
        (dir, home)
    }

    #[test]
    fn o13_a_file_is_for_its_owner_only_and_gone_with_its_command() {
        let (_dir, home) = home();
        let file = RunFile::create(&home, &running(0)).unwrap();
        let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(&home.file(DIRECTORY))), (0o600, 0o700));
        assert_eq!(live(&home), [running(0)]);
        file.update(&running(1)).unwrap();
        assert_eq!(live(&home), [running(1)]);
        file.update(&running(0)).unwrap();
        assert_eq!(live(&home), [running(0)], "shorter words leave nothing of longer ones");
        drop(file);
        assert_eq!((live(&home), fs::read_dir(home.file(DIRECTORY)).unwrap().count()), (vec![], 0));
    }

    #[test]
    fn a_file_whose_command_was_killed_is_pruned_and_one_that_is_being_made_is_not() {
        let (_dir, home) = home();
        let killed = RunFile::create(&home, &running(0)).unwrap();
        let path = killed.path.clone();
        // The system gives back the lock of a killed process; nobody removes the file.
        killed.file.unlock().unwrap();
        std::mem::forget(killed);
        let begun = home.file(DIRECTORY).join("2-00000000");
        private_file::write(&begun, b"").unwrap();
        assert_eq!(live(&home), []);
        assert!(!path.exists() && begun.exists());
    }
}
