//! What the file system must look like before a secret is read from it or written to it.

use super::mistake::{Mistake, Origin};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

const GROUP_AND_OTHERS: u32 = 0o077;
const OTHERS: u32 = 0o007;
const OTHERS_WRITE: u32 = 0o022;

/// Refuses a file with secrets that anyone but its owner may read.
pub(super) fn check_secret_file(path: &Path, what: &str, at: Origin) -> Result<(), Mistake> {
    let meta = fs::metadata(path).map_err(|e| unreadable(path, what, at.clone(), &e))?;
    if meta.mode() & GROUP_AND_OTHERS == 0 {
        return Ok(());
    }
    Err(Mistake::new(
        at,
        format!("{what} {} may be read by others (mode {:04o})", path.display(), meta.mode() & 0o7777),
        format!("chmod 600 {}", path.display()),
    ))
}

/// Refuses a configuration file that others may change, or that they may read although it holds a password.
pub(super) fn check_config_file(path: &Path, holds_secret: bool) -> Result<(), Mistake> {
    let at = Origin::File { path: path.to_owned(), line: 1 };
    let meta = fs::metadata(path).map_err(|e| unreadable(path, "the configuration", at.clone(), &e))?;
    let mode = meta.mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(Mistake::new(
            at,
            format!("the configuration may be changed by others (mode {:04o})", mode & 0o7777),
            format!("chmod go-w {}", path.display()),
        ));
    }
    if holds_secret && mode & OTHERS != 0 {
        return Err(Mistake::new(
            at,
            format!(
                "the configuration holds a password and may be read by anyone (mode {:04o})",
                mode & 0o7777
            ),
            format!("chmod 600 {}, or give POSTERN_STORE__URL in the environment instead", path.display()),
        ));
    }
    Ok(())
}

/// Creates the state directory (0700) if it is not there, and refuses one that is a symbolic link or open to others.
pub fn prepare_state_dir(path: &Path) -> Result<(), Mistake> {
    let found = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| {
                Mistake::new(
                    Origin::Nowhere,
                    format!("the state directory {} cannot be made: {e}", path.display()),
                    "choose another with state_dir, or create it for the user that runs the gateway",
                )
            });
        }
        found => found.map_err(|e| unreadable(path, "the state directory", Origin::Nowhere, &e))?,
    };
    check_state_dir(path, &found)
}

fn check_state_dir(path: &Path, found: &fs::Metadata) -> Result<(), Mistake> {
    let shown = path.display();
    if found.is_symlink() {
        return Err(Mistake::new(
            Origin::Nowhere,
            format!("the state directory {shown} is a symbolic link"),
            "set state_dir to the directory itself: a link can be turned to somewhere else",
        ));
    }
    if !found.is_dir() {
        return Err(Mistake::new(
            Origin::Nowhere,
            format!("the state directory {shown} is not a directory"),
            "set state_dir to a directory that only the gateway uses",
        ));
    }
    if found.mode() & OTHERS_WRITE != 0 || found.mode() & OTHERS != 0 {
        return Err(Mistake::new(
            Origin::Nowhere,
            format!("the state directory {shown} is open to others (mode {:04o})", found.mode() & 0o7777),
            format!("chmod 700 {shown}"),
        ));
    }
    Ok(())
}

fn unreadable(path: &Path, what: &str, at: Origin, error: &io::Error) -> Mistake {
    Mistake::new(
        at,
        format!("{what} {} cannot be read: {error}", path.display()),
        "check the path and that the user that runs the gateway may read it",
    )
}
