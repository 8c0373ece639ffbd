//! The SSH host keys that the gateway vouches for, kept from the last connection to each resource, so that
//! `KnownHostsCommand` answers without asking anybody.

use crate::{
    failure::Failure,
    home::Home,
    resource::{ResourceRef, SUFFIX},
    show,
};
use postern_private_file as private_file;
use std::path::PathBuf;

const DIRECTORY: &str = "host-keys";

fn file(home: &Home, name: &str) -> PathBuf {
    home.dir().join(DIRECTORY).join(name)
}

/// Keeps the keys of a resource; a resource without keys has no file. Called before the first byte reaches ssh, which
/// asks for them next.
pub(crate) fn keep(home: &Home, name: &str, keys: &[String]) -> Result<(), Failure> {
    let path = file(home, name);
    let known = private_file::read(&path)?;
    let lines: String =
        keys.iter().filter(|key| is_key(key)).map(|key| format!("{name}{SUFFIX} {key}\n")).collect();
    if known.as_deref().unwrap_or_default() == lines.as_bytes() {
        return Ok(());
    }
    private_file::ensure_dir(&home.dir().join(DIRECTORY))?;
    Ok(private_file::write(&path, lines.as_bytes())?)
}

/// A key in the form `TYPE BASE64`: nothing that could end a line or begin a marker such as `@cert-authority`.
pub(super) fn is_key(text: &str) -> bool {
    let mut words = text.split(' ');
    let (Some(kind), Some(key), None) = (words.next(), words.next(), words.next()) else { return false };
    let kind_ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'@');
    let key_ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.bytes().all(kind_ok)
        && !key.is_empty()
        && key.bytes().all(key_ok)
}

/// Prints the kept keys in the form of `known_hosts`.
pub fn print_known_hosts(home: &Home, host: &ResourceRef) -> Result<(), Failure> {
    if let Some(lines) = private_file::read(&file(home, host.as_str()))? {
        show::text(&String::from_utf8_lossy(&lines))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn kept_keys_name_the_alias_and_follow_changes() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&dir.path().join("state"))).unwrap();
        keep(&home, "bastion", &["ssh-ed25519 AAAAC3Nz+/=".into()]).unwrap();
        let read =
            || String::from_utf8(private_file::read(&file(&home, "bastion")).unwrap().unwrap()).unwrap();
        assert_eq!(read(), "bastion.postern ssh-ed25519 AAAAC3Nz+/=\n");
        keep(&home, "bastion", &[]).unwrap();
        assert_eq!(read(), "", "keys that are no longer vouched for are gone");
    }

    #[test]
    fn s2_a_host_key_cannot_smuggle_a_line_or_a_marker() {
        for bad in [
            "@cert-authority * ssh-ed25519 AAAA",
            "ssh-ed25519 AAAA\n* ssh-rsa B",
            "ssh-ed25519",
            "* AAAA",
            "# x",
            "a b c",
        ] {
            assert!(!is_key(bad), "{bad:?}");
        }
        assert!(is_key("ecdsa-sha2-nistp256 AAAAE2Vj"));
        assert!(is_key("sk-ssh-ed25519@openssh.com AAAA"));
    }
}
