//! Files that only their owner may read: keys, tokens, identities. Symbolic links and loose modes are refused, and a
//! reader never sees a half-written file. It must never know what stands in them.
#![forbid(unsafe_code)]

use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The largest file of this kind; ours have a few hundred bytes.
const SIZE_MAX: u64 = 1 << 20;

/// Why a private file or directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error("{path} is open to other accounts (mode {mode:04o}); run: chmod {wanted:o} {path}")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it has to have.
        wanted: u32,
    },
    /// A symbolic link, a device, or something else than expected.
    #[error("{path} is not a plain {expected}; it is not followed")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// More than the limit.
    #[error("{path} is larger than {SIZE_MAX} bytes")]
    Size {
        /// The file.
        path: PathBuf,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PrivateFileError {
    move |source| PrivateFileError::Io { path: path.to_path_buf(), source }
}

/// Makes the directory with mode 0700, or checks the one that is there.
pub fn ensure_dir(path: &Path) -> Result<(), PrivateFileError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => {
            Err(PrivateFileError::Kind { path: path.to_path_buf(), expected: "directory" })
        }
        Ok(found) => check_mode(path, &found, 0o700),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error(path))
        }
        Err(error) => Err(io_error(path)(error)),
    }
}

fn check_mode(path: &Path, found: &fs::Metadata, wanted: u32) -> Result<(), PrivateFileError> {
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(PrivateFileError::Mode { path: path.to_path_buf(), mode, wanted })
}

/// The content of a private file; nothing if there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, PrivateFileError> {
    let named = match fs::symlink_metadata(path) {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    let kind = || PrivateFileError::Kind { path: path.to_path_buf(), expected: "file" };
    if !named.is_file() {
        return Err(kind());
    }
    let file = fs::File::open(path).map_err(io_error(path))?;
    let opened = file.metadata().map_err(io_error(path))?;
    // The name may have become a link between the two calls: what was opened has to be what was checked.
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(kind());
    }
    check_mode(path, &opened, 0o600)?;
    let mut content = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut content).map_err(io_error(path))?;
    if content.len() as u64 > SIZE_MAX {
        return Err(PrivateFileError::Size { path: path.to_path_buf() });
    }
    Ok(Some(content))
}

/// Replaces the file in one step; its mode is 0600 from its first moment.
pub fn write(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let replace = || {
        let _ = fs::remove_file(&new);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    replace().map_err(|error| {
        let _ = fs::remove_file(&new);
        io_error(path)(error)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn o13_what_is_written_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing temporary is left");
    }

    #[test]
    fn o13_links_and_loose_modes_are_refused_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"secret").unwrap();
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(PrivateFileError::Kind { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn l06_a_linked_or_open_state_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        ensure_dir(&state).unwrap();
        ensure_dir(&state).unwrap();
        let link = dir.path().join("link");
        symlink(&state, &link).unwrap();
        assert!(matches!(ensure_dir(&link), Err(PrivateFileError::Kind { .. })));
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(ensure_dir(&state).unwrap_err().to_string().contains("chmod 700"));
    }
}
