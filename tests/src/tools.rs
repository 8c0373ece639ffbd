//! Finds the programs of the machine and our own built ones.

use anyhow::{Context, Result};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file of a tool: below the newest Postgres first, then in `PATH`, then where daemons lie.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    postgres_directories()
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(tool))
        .find(|file| is_program(file))
}

/// A command for a tool of the machine, or an error that names it.
pub fn command(tool: &str) -> Result<Command> {
    Ok(Command::new(find(tool).with_context(|| format!("`{tool}` is not on this machine"))?))
}

/// Where a Python of the tests' own lies, below the target directory; `cargo xtask test` brings it.
pub const PYTHON: &str = "python";

/// A program out of the tests' own Python: `python`, or what a package brought. None where that is not to be had.
pub fn python(program: &str) -> Option<PathBuf> {
    let found = programs().ok()?.parent()?.join(PYTHON).join("bin").join(program);
    is_program(&found).then_some(found)
}

/// The directory of our own programs, for a test: they lie above the test program, or where `POSTERN_BIN_DIR` says.
pub fn programs() -> Result<PathBuf> {
    let directory = match std::env::var_os("POSTERN_BIN_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => above_the_tests().context("find the directory of the built programs")?,
    };
    for program in ["postern", "postern-gateway", "postern-connector"] {
        let file = directory.join(program);
        anyhow::ensure!(
            is_program(&file),
            "{} is not built: cargo build --workspace --profile ci",
            file.display()
        );
    }
    Ok(directory)
}

/// Does this process run as root?
pub fn am_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Test programs lie in `deps` below the directory of the programs.
fn above_the_tests() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.parent()?.to_path_buf())
}

fn postgres_directories() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
    found.sort();
    found.reverse();
    found
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
