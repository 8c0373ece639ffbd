//! The master key's file: one line of text, readable by its owner only.

mod guessable;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use guessable::Weakness;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const PREFIX: &str = "postern-master-key-v1:";
/// Far more than a key needs, so that a wrong path is refused without reading a big file.
const FILE_BYTES_MAX: u64 = 1024;

/// Why the master key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file does not exist, and this store is not one that may make it.
    #[error("the master key file {} is missing; the store holds secrets sealed under it, or shares them with other gateways: restore the file", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Others than the owner may read the file.
    #[error("the master key file {} may be read by others (mode {mode:o}): chmod 600 it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a master key.
    #[error("{} does not hold a master key", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Others know the key, or find it by trying.
    #[error(
        "the master key in {} is no secret: {weakness}. Make one from random bytes, for example: \
        umask 077; printf '{PREFIX}%s\\n' \"$(head -c 32 /dev/urandom | basenc --base64url | tr -d =)\" > master.key",
        path.display()
    )]
    Guessable {
        /// The file.
        path: PathBuf,
        /// What gives it away.
        weakness: Weakness,
    },
    /// The file cannot be read or written.
    #[error("cannot use the master key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The key is not the one that the store is sealed under.
    #[error(
        "the master key {own} in {} is not the one of this store, which is {stored}: restore the file of that one; \
        to change the key, name its file in previous_master_key_files",
        path.display()
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Which key it holds.
        own: String,
        /// Under which key the store is sealed.
        stored: String,
    },
    /// The store may hold values under a key that was changed, and nobody would be able to read them.
    #[error(
        "the store still holds values that are sealed under the master key {earlier}: name its file in \
        previous_master_key_files until the log says that it is not needed"
    )]
    Earlier {
        /// Which keys.
        earlier: String,
    },
}

/// Reads the key; `None` when there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, MasterKeyError> {
    let failed = |source| MasterKeyError::File { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    Read::by_ref(&mut file).take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let key = parse(&text).ok_or_else(|| MasterKeyError::Malformed { path: path.to_owned() })?;
    match guessable::weakness(&key) {
        Some(weakness) => Err(MasterKeyError::Guessable { path: path.to_owned(), weakness }),
        None => Ok(Some(key)),
    }
}

fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim_end().strip_prefix(PREFIX)?).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

/// Makes a key and its file, durably, and never over an existing one.
pub(crate) fn create(path: &Path) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    let failed = |source| MasterKeyError::File { path: path.to_owned(), source };
    let key = Zeroizing::new(rand::random::<[u8; 32]>());
    let text = Zeroizing::new(format!("{PREFIX}{}\n", URL_SAFE_NO_PAD.encode(*key)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed)?;
    }
    Ok(key)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_created_key_is_read_back_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        assert!(read(&path).unwrap().is_none());
        let key = create(&path).unwrap();
        assert_eq!(*read(&path).unwrap().unwrap(), *key);
        assert!(matches!(create(&path), Err(MasterKeyError::File { .. })));
    }

    #[test]
    fn l03_a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(MasterKeyError::Exposed { .. })), "{mode:o}");
        }
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for text in
            ["", "postern-master-key-v1:", "postern-master-key-v1:AAAA", "AAAA", "postern-master-key-v1:é"]
        {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            assert!(matches!(read(&path), Err(MasterKeyError::Malformed { .. })), "{text:?}");
        }
    }
}
