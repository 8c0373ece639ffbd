//! The small files of the state directory.

use crate::exit::Failure;
use postern_ids::NodeId;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where everything that this node keeps lies.
#[derive(Debug, Clone)]
pub(super) struct StateDir(PathBuf);

impl StateDir {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn store(&self) -> PathBuf {
        self.0.join("postern.db")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    pub(super) fn addresses(&self) -> PathBuf {
        self.0.join("addresses.json")
    }

    pub(super) fn bootstrap_token(&self) -> PathBuf {
        self.0.join("bootstrap-token")
    }

    fn node_id(&self) -> PathBuf {
        self.0.join("node-id")
    }

    /// The id of this state directory, made by its first start.
    pub(super) fn load_node_id(&self, fresh: NodeId) -> Result<NodeId, Failure> {
        let path = self.node_id();
        match fs::read_to_string(&path) {
            Ok(text) => {
                text.trim().parse().map_err(|error| Failure::Config(format!("{}: {error}", path.display())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write(&path, format!("{fresh}\n").as_bytes(), 0o644)?;
                Ok(fresh)
            }
            Err(error) => Err(not_usable(&path, &error)),
        }
    }
}

/// Writes a file whole or not at all, with this mode.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let written = remove(&beside)
        .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside))
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| not_usable(path, &error))
}

/// Says so where a file is there and may not be used: SQLite would only say that it cannot be opened.
pub(super) fn may_be_used(path: &Path) -> Result<(), Failure> {
    match fs::OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(not_usable(path, &error)),
        _ => Ok(()),
    }
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn not_usable(path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot use {}: {error}", path.display());
    if error.kind() == io::ErrorKind::PermissionDenied {
        Failure::NotPermitted(text)
    } else {
        Failure::Unavailable(text)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_ids::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_node_keeps_its_id_over_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path());
        let fresh = |n| NodeId::mint(Timestamp::EPOCH, [n; 10]);
        let first = state.load_node_id(fresh(1)).unwrap();
        assert_eq!(state.load_node_id(fresh(2)).unwrap(), first);
    }

    #[test]
    fn a_secret_file_is_never_readable_by_others_not_even_for_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bootstrap-token");
        fs::write(&path, "older, open to all").unwrap();
        write(&path, b"secret", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }
}
