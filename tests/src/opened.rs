//! What a person's commands open in a browser: each address is noted, no browser comes up.

use crate::wait;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The opener of one home, and the addresses that it was given.
#[derive(Debug)]
pub struct OpenedBrowser {
    opened: PathBuf,
}

impl OpenedBrowser {
    /// Puts it where the commands of this home look for programs first; nothing is opened yet.
    pub fn install(home: &Path) -> Result<Self> {
        let opened = home.join("opened");
        fs::write(&opened, "")?;
        let opener = home.join("bin/xdg-open");
        fs::write(&opener, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{}'\n", opened.display()))?;
        fs::set_permissions(&opener, Permissions::from_mode(0o755))?;
        Ok(Self { opened })
    }

    /// Every address so far.
    pub fn addresses(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.opened).unwrap_or_default();
        complete_lines(&text).lines().map(str::to_owned).collect()
    }

    /// Waits for the first address.
    pub fn address(&self, limit: Duration) -> Result<String> {
        let (addresses, _) = wait::eventually("an opened address", limit, || {
            Some(self.addresses()).filter(|addresses| !addresses.is_empty())
        })?;
        addresses.into_iter().next().context("an address")
    }
}

/// The text up to its last line end: the rest may still be growing.
pub(crate) fn complete_lines(text: &str) -> &str {
    text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default()
}
