//! What the connector is told: a TOML file, the environment and flags, the later ones winning; allow-lists add up.

use crate::allow::{AllowList, Entry};
use serde::Deserialize;
use std::{
    fs, io,
    num::NonZeroUsize,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The allow-list in the state directory, one entry a line; `enroll --allow` writes it.
pub const ALLOW_FILE: &str = "allow";

/// The mode bits that let group or others write.
const CHANGED_BY_OTHERS: u32 = 0o022;

/// A mistake in the configuration; exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {text}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        text: String,
    },
    /// Others may change the file, and with it what is dialed.
    #[error("{path} may be changed by other accounts (mode {mode:04o}); run: chmod go-w {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Variables that nobody reads.
    #[error("{unknown}: no such setting; what postern-connector reads from the environment is {known}")]
    Environment {
        /// Their names.
        unknown: String,
        /// The names that count.
        known: String,
    },
}

/// Bounds of a running connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sessions at once, those whose client is away included; each holds one socket.
    pub sessions_max: NonZeroUsize,
    /// Targets being dialed at once; each waits up to the dial deadline.
    pub dials_max: NonZeroUsize,
    /// Links to each gateway address.
    pub slots: Slots,
    /// How long a session waits for its client to come back.
    #[serde(rename = "resume_window_seconds")]
    pub resume_window: ResumeWindow,
    /// What the sessions of the process may keep for clients that have not acknowledged it.
    #[serde(rename = "replay_mib")]
    pub replay: ReplayBudget,
}

/// How many links to each gateway address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub struct Slots(u8);

impl Slots {
    /// The number, from 1 to 16.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Slots {
    type Error = &'static str;

    fn try_from(slots: u8) -> Result<Self, Self::Error> {
        if (1..=16).contains(&slots) { Ok(Self(slots)) } else { Err("slots must be from 1 to 16") }
    }
}

/// How long a session waits for its client to come back: from 1 second to an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct ResumeWindow(u32);

impl ResumeWindow {
    /// The span.
    pub fn get(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl TryFrom<u32> for ResumeWindow {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        let sane = (1..=3_600).contains(&seconds);
        if sane { Ok(Self(seconds)) } else { Err("resume_window_seconds must be from 1 to 3600") }
    }
}

/// Memory for bytes that are not acknowledged, in the whole process: from 1 MiB to 64 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct ReplayBudget(u32);

impl ReplayBudget {
    /// The bytes.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX).saturating_mul(1024 * 1024)
    }
}

impl TryFrom<u32> for ReplayBudget {
    type Error = &'static str;

    fn try_from(mib: u32) -> Result<Self, Self::Error> {
        if (1..=65_536).contains(&mib) { Ok(Self(mib)) } else { Err("replay_mib must be from 1 to 65536") }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let sessions_max = NonZeroUsize::new(16_384).unwrap_or(NonZeroUsize::MIN);
        let dials_max = NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN);
        let (resume_window, replay) = (ResumeWindow(120), ReplayBudget(256));
        Self { sessions_max, dials_max, slots: Slots(2), resume_window, replay }
    }
}

/// The TOML file. Every key is optional, an unknown one is an error.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Where key, identity and status live.
    pub state_dir: Option<PathBuf>,
    /// The enrolment token, used while there is no identity yet.
    pub token_file: Option<PathBuf>,
    /// Targets that may be dialed.
    pub allow: Vec<AllowLine>,
    /// Certificate authorities to trust besides the system's and the pinned one.
    pub ca_files: Vec<PathBuf>,
    /// Gateway addresses instead of those learned at enrolment.
    pub gateways: Vec<url::Url>,
    /// Bounds.
    pub limits: Limits,
}

/// An allow-list entry in TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowLine(pub Entry);

impl TryFrom<String> for AllowLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error| format!("allow entry {text:?}: {error}"))
    }
}

impl ConfigFile {
    /// Reads the file, unless others may change it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unread = |source| ConfigError::Read { path: path.to_path_buf(), source };
        let mode = fs::metadata(path).map_err(unread)?.permissions().mode() & 0o7777;
        if mode & CHANGED_BY_OTHERS != 0 {
            return Err(ConfigError::Open { path: path.to_path_buf(), mode });
        }
        let text = fs::read_to_string(path).map_err(unread)?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.to_path_buf(), text: error.to_string() })
    }
}

/// The allow-list file of the state directory; empty if there is none. Every bad line is named.
pub fn read_allow_file(path: &Path) -> Result<AllowList, ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(AllowList::default()),
        Err(source) => return Err(ConfigError::Read { path: path.to_path_buf(), source }),
    };
    let mut mistakes = Vec::new();
    let mut list = AllowList::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.parse::<Entry>() {
            _ if line.is_empty() => {}
            Ok(entry) => list.extend([entry]),
            Err(error) => mistakes.push(format!("line {number}: {error}")),
        }
    }
    if mistakes.is_empty() {
        return Ok(list);
    }
    Err(ConfigError::Parse { path: path.to_path_buf(), text: mistakes.join("; ") })
}

/// The text of an allow-list file.
pub fn allow_file_text(list: &AllowList) -> String {
    let mut text = String::from("# Targets that this connector may dial, one HOST:PORT a line.\n");
    for entry in list.entries() {
        text.push_str(&entry.to_string());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn l06_unknown_keys_and_bad_entries_are_errors_with_their_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("connector.toml");
        fs::write(&path, "allow = [\"10.0.0.0/8:*\"]\nalow = []\n").unwrap();
        let error = ConfigFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("alow") && error.contains("line 2"), "{error}");
        fs::write(&path, "allow = [\"10.0.0.0/8\"]\n").unwrap();
        assert!(ConfigFile::read(&path).unwrap_err().to_string().contains("HOST:PORT"));
        for limit in ["resume_window_seconds = 0", "replay_mib = 0", "slots = 17"] {
            fs::write(&path, format!("[limits]\n{limit}\n")).unwrap();
            assert!(
                ConfigFile::read(&path).unwrap_err().to_string().contains("must be from 1 to"),
                "{limit}"
            );
        }
    }

    #[test]
    fn an_allow_file_survives_its_text_form_and_names_every_bad_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(ALLOW_FILE);
        assert_eq!(read_allow_file(&path).unwrap(), AllowList::default());
        let list: AllowList =
            ["10.0.0.0/8:*", "[::1]:22"].iter().map(|e| e.parse::<Entry>().unwrap()).collect();
        fs::write(&path, allow_file_text(&list)).unwrap();
        assert_eq!(read_allow_file(&path).unwrap(), list);
        fs::write(&path, "nonsense\n10.0.0.0/8:* # the office\n10.0.0.1/8:22\n").unwrap();
        let error = read_allow_file(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("line 3"), "{error}");
    }
}
