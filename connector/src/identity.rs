//! Who this connector is: its key, and what it learned and pinned when it enrolled.

use crate::pins::Pins;
use postern_ids::{ConnectorId, Name, Timestamp};
use postern_private_file::{self as private_file, PrivateFileError};
use postern_token::{Alg, KeyError, SigningKey, TimedKey};
use postern_tunnel_io::tls::Trust;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use url::Url;
use zeroize::Zeroizing;

const KEY_FILE: &str = "key.pk8";
const IDENTITY_FILE: &str = "identity.json";
const LOCK_FILE: &str = "lock";

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not as it should be.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The identity file cannot be read.
    #[error("{path} is damaged; enroll this connector again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
    /// A key cannot be read or made.
    #[error("{path} holds no usable key; enroll this connector again")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// There is an identity, but its key is gone.
    #[error("{path} is missing; enroll this connector again")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Another process uses the state directory.
    #[error("another postern-connector uses {path}")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
}

/// What enrolment gave; the content of the identity file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The id under which the gateway knows our public key.
    pub connector: ConnectorId,
    /// The name it got.
    pub name: Name,
    /// The name of the site it serves.
    pub site: Name,
    /// The only issuer whose grants count, and the audience of our dials.
    pub issuer: String,
    /// The gateways to dial.
    pub gateways: Vec<Url>,
    /// The pinned CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// The keys that sign grants, as JSON Web Keys with their times.
    pub grant_keys: Vec<serde_json::Value>,
    /// When, by this machine's clock.
    pub enrolled_at: Timestamp,
}

/// The identity in use.
#[derive(Debug)]
pub struct Identity {
    /// What enrolment gave.
    pub enrolled: Enrolled,
    /// Our own key.
    pub key: SigningKey,
    /// The pinned grant keys, as they are now.
    pub pins: Pins,
    /// Held while the pins are written down.
    keeping: Mutex<()>,
}

/// The state directory, held by this process alone while the value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// Whether a process holds the state directory now.
pub fn is_running(state_dir: &Path) -> bool {
    let Ok(lock) = File::open(state_dir.join(LOCK_FILE)) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

impl StateDir {
    /// Makes or checks the directory and locks it.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        private_file::ensure_dir(path)?;
        let lock_path = path.join(LOCK_FILE);
        let io_error = |source| PrivateFileError::Io { path: lock_path.clone(), source };
        let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(io_error)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(IdentityError::InUse { path: path.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(io_error(source).into()),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key of this connector, made at the first call. A key that was written before a crash is used again.
    pub fn key(&self) -> Result<SigningKey, IdentityError> {
        let path = self.path.join(KEY_FILE);
        if let Some(key) = read_key(&path)? {
            return Ok(key);
        }
        let key = SigningKey::generate(Alg::EdDsa)
            .map_err(|source| IdentityError::Key { path: path.clone(), source })?;
        private_file::write(&path, key.pkcs8())?;
        Ok(key)
    }

    /// The identity; nothing before enrolment.
    pub fn identity(&self) -> Result<Option<Identity>, IdentityError> {
        let path = self.path.join(IDENTITY_FILE);
        let Some(text) = private_file::read(&path)? else { return Ok(None) };
        let enrolled: Enrolled = serde_json::from_slice(&text)
            .map_err(|source| IdentityError::Damaged { path: path.clone(), source })?;
        let key_path = self.path.join(KEY_FILE);
        let key = read_key(&key_path)?.ok_or(IdentityError::NoKey { path: key_path })?;
        Identity::new(enrolled, key).map(Some).map_err(|source| IdentityError::Key { path, source })
    }

    /// Keeps what enrolment gave.
    pub fn keep(&self, enrolled: &Enrolled) -> Result<(), IdentityError> {
        keep(&self.path, enrolled)
    }
}

fn keep(state_dir: &Path, enrolled: &Enrolled) -> Result<(), IdentityError> {
    let path = state_dir.join(IDENTITY_FILE);
    let text = serde_json::to_vec_pretty(enrolled)
        .map_err(|source| IdentityError::Damaged { path: path.clone(), source })?;
    Ok(private_file::write(&path, &text)?)
}

fn read_key(path: &Path) -> Result<Option<SigningKey>, IdentityError> {
    let Some(pkcs8) = private_file::read(path)?.map(Zeroizing::new) else { return Ok(None) };
    SigningKey::from_pkcs8(Alg::EdDsa, &pkcs8)
        .map(Some)
        .map_err(|source| IdentityError::Key { path: path.to_path_buf(), source })
}

impl Identity {
    /// The identity that these facts and this key make.
    pub fn new(enrolled: Enrolled, key: SigningKey) -> Result<Self, KeyError> {
        let keys: Result<Vec<_>, _> = enrolled.grant_keys.iter().map(TimedKey::from_jwk).collect();
        let pins = Pins::new(enrolled.connector, &enrolled.issuer, keys?);
        Ok(Self { enrolled, key, pins, keeping: Mutex::default() })
    }

    /// Keeps the grant keys as they are now in the state directory, which this process holds.
    pub fn keep_pins(&self, state_dir: &Path) -> Result<(), IdentityError> {
        // Read under the lock: of two writers, the later one writes the later keys.
        let _alone = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        keep(state_dir, &Enrolled { grant_keys: self.pins.to_jwks(), ..self.enrolled.clone() })
    }

    /// Whom to trust when dialing: the CA pinned at enrolment, else the system's; and always the named files.
    pub fn trust(&self, ca_files: &[PathBuf]) -> Trust {
        let pin = self.enrolled.ca_sha256.as_deref().and_then(parse_sha256);
        trust(pin, ca_files)
    }
}

/// Trust in a pinned CA, or in the system's.
pub fn trust(ca_sha256: Option<[u8; 32]>, ca_files: &[PathBuf]) -> Trust {
    let system_roots = ca_sha256.is_none();
    Trust { system_roots, ca_files: ca_files.to_vec(), ca_pem: None, ca_sha256 }
}

/// A SHA-256 as 64 hexadecimal digits.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The text that [`parse_sha256`] reads.
pub fn sha256_text(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn t11_the_key_is_made_once_and_the_identity_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let state = StateDir::open(&path).unwrap();
        let kid = state.key().unwrap().kid().to_owned();
        assert!(state.identity().unwrap().is_none(), "a key alone is no identity");
        let grant_key = SigningKey::generate(Alg::EdDsa).unwrap();
        let enrolled = Enrolled {
            connector: ConnectorId::mint(Timestamp::EPOCH, [1; 10]),
            name: "office-1".parse().unwrap(),
            site: "office".parse().unwrap(),
            issuer: "https://gw.example".into(),
            gateways: vec!["https://gw.example".parse().unwrap()],
            ca_sha256: Some(sha256_text(&[0xab; 32])),
            grant_keys: vec![grant_key.verifying().to_jwk()],
            enrolled_at: Timestamp::EPOCH,
        };
        state.keep(&enrolled).unwrap();
        drop(state);
        let identity = StateDir::open(&path).unwrap().identity().unwrap().unwrap();
        assert_eq!(identity.enrolled, enrolled);
        assert_eq!(identity.key.kid(), kid);
        assert_eq!(identity.pins.to_jwks(), [grant_key.verifying().to_jwk()]);
        assert_eq!(identity.trust(&[]).ca_sha256, Some([0xab; 32]));
    }

    #[test]
    fn t11_two_processes_never_share_an_identity() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert!(!is_running(&path));
        let held = StateDir::open(&path).unwrap();
        assert!(is_running(&path));
        assert!(matches!(StateDir::open(&path), Err(IdentityError::InUse { .. })));
        drop(held);
        assert!(!is_running(&path));
    }

    #[test]
    fn a_damaged_identity_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        private_file::write(&state.path().join(IDENTITY_FILE), b"{").unwrap();
        assert!(state.identity().unwrap_err().to_string().contains("enroll this connector again"));
    }
}
