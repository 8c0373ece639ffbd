//! A directory for one test: gone afterwards, kept if the test failed.

use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// So much of each log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// A directory of its own, below the system's temporary directory.
#[derive(Debug)]
pub struct Scratch {
    directory: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// Makes one; `name` helps to recognise it.
    pub fn new(name: &str) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix(&format!("postern-{name}-"))
            .tempdir()
            .context("make a directory")?;
        // A Postgres server runs as another user and must be able to pass through.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let path = directory.path().to_path_buf();
        Ok(Self { directory: Some(directory), path })
    }

    /// Uses a directory that stays: emptied first, never removed.
    pub fn lasting(path: &Path) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("empty {}", path.display()))?;
        }
        fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self { directory: None, path: path.to_path_buf() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A directory inside it, made if missing.
    pub fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.join(name);
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(path)
    }

    /// Writes a file that only its owner may read.
    pub fn write_secret(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(path)
    }
}

/// Runs the body of a test in a directory of its own. If it fails, the ends of all logs in there are shown and it is kept.
pub fn scenario(name: &str, body: impl FnOnce(&Scratch) -> Result<()>) -> Result<()> {
    let scratch = Scratch::new(name)?;
    let result = body(&scratch);
    if result.is_err() {
        scratch.keep();
    }
    result
}

impl Scratch {
    fn keep(mut self) {
        self.show_and_keep();
    }

    fn show_and_keep(&mut self) {
        let Some(directory) = self.directory.take() else { return };
        for log in logs(directory.path()) {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
            eprintln!("── {}\n{}", log.display(), end.join("\n"));
        }
        eprintln!("kept for a look: {}", directory.keep().display());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_and_keep();
        }
    }
}

/// Every log below a directory, but not those of databases, which say nothing about us.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(logs(&path));
        } else if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    found.sort();
    found
}
