//! A wall clock that a test sets for one program, through `libfaketime`. Monotonic time stays true.

use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian keeps the library for programs with threads.
const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of the programs that run with its variables.
#[derive(Debug, Clone)]
pub struct FakeClock {
    file: PathBuf,
    library: PathBuf,
}

impl FakeClock {
    /// A clock that is right, or nothing if the library is not on this machine.
    pub fn new(directory: &Path, name: &str) -> Result<Option<Self>> {
        let Some(library) = LIBRARIES.iter().map(PathBuf::from).find(|file| file.exists()) else {
            return Ok(None);
        };
        let clock = Self { file: directory.join(format!("{name}.clock")), library };
        clock.set_ahead(0)?;
        Ok(Some(clock))
    }

    /// Sets it so many seconds ahead of the true time, or behind.
    pub fn set_ahead(&self, seconds: i64) -> Result<()> {
        // A rename, so that no program reads half of it.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{seconds:+}\n"))?;
        Ok(fs::rename(next, &self.file)?)
    }

    /// The variables that make a program look at it.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
