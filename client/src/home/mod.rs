//! Where the command keeps its profile and tokens: a directory and files that only their owner may read.

mod lock;
mod profile;
mod running;
mod tokens;

pub use lock::Lock;
pub use profile::{Profile, parse_sha256};
pub use running::{RunFile, Running, live};
pub use tokens::Tokens;

use crate::failure::Failure;
use etcetera::BaseStrategy;
use postern_private_file::PrivateFileError;
use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

impl From<PrivateFileError> for Failure {
    fn from(error: PrivateFileError) -> Self {
        Self::usage(error.to_string())
    }
}

/// The state directory.
#[derive(Debug, Clone)]
pub struct Home {
    dir: PathBuf,
    began: SystemTime,
}

impl Home {
    /// The directory that this command line or `POSTERN_HOME` names, or the default one.
    pub fn of_command(named: Option<&Path>) -> Result<Self, Failure> {
        let variable = std::env::var_os("POSTERN_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        Self::open(named.or(variable.as_deref()))
    }

    /// The directory that was named, or `$XDG_STATE_HOME/postern`; made with mode 0700 if it is not there.
    pub fn open(named: Option<&Path>) -> Result<Self, Failure> {
        let dir = match named {
            Some(dir) => {
                std::path::absolute(dir).map_err(|e| Failure::usage(format!("{}: {e}", dir.display())))?
            }
            None => default_dir()?,
        };
        postern_private_file::ensure_dir(&dir)?;
        Ok(Self { dir, began: SystemTime::now() })
    }

    /// When this command began: opening its home is the first thing that it does.
    pub(crate) fn began(&self) -> SystemTime {
        self.began
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn default_dir() -> Result<PathBuf, Failure> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("no home directory is known; set POSTERN_HOME"))?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(state.join("postern"))
}
