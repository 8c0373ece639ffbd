//! Builds everything once — programs and tests of the whole workspace, one profile, one feature set — and says what came out.
//!
//! Only `--workspace` selections: a selection by package would resolve other features and compile the dependencies again.

use crate::workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;

/// A built program that runs tests.
#[derive(Debug, Clone)]
pub(crate) struct TestProgram {
    /// The crate that it tests.
    pub(crate) package: String,
    /// The name of the target: the crate itself, a program, or a file below `tests/`.
    pub(crate) target: String,
    /// What cargo calls the target: `lib`, `bin` or `test`.
    pub(crate) kind: String,
    /// The file to run.
    pub(crate) file: PathBuf,
    /// The directory that its tests expect to be started in.
    pub(crate) directory: PathBuf,
}

/// Builds the programs only, for the demo.
pub(crate) fn programs() -> Result<()> {
    let status = workspace::cargo()
        .args(["build", "--workspace", "--bins", "--profile", workspace::PROFILE])
        .status()
        .context("start cargo build")?;
    anyhow::ensure!(status.success(), "cargo build ended with {status}");
    Ok(())
}

/// Builds all targets and gives the programs that run tests.
pub(crate) fn everything() -> Result<Vec<TestProgram>> {
    let output = workspace::cargo()
        .args(["build", "--workspace", "--all-targets", "--profile", workspace::PROFILE])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo build")?;
    anyhow::ensure!(output.status.success(), "cargo build ended with {}", output.status);
    let text = String::from_utf8(output.stdout).context("read cargo's messages")?;
    let mut programs: Vec<TestProgram> = text.lines().filter_map(test_program).collect();
    programs.sort_by(|a, b| (&a.package, &a.kind, &a.target).cmp(&(&b.package, &b.kind, &b.target)));
    Ok(programs)
}

fn test_program(line: &str) -> Option<TestProgram> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let manifest = PathBuf::from(message["manifest_path"].as_str()?);
    let directory = manifest.parent()?.to_path_buf();
    Some(TestProgram {
        package: package_name(message["package_id"].as_str()?)?,
        target: message["target"]["name"].as_str()?.to_owned(),
        kind: message["target"]["kind"][0].as_str()?.to_owned(),
        file: PathBuf::from(message["executable"].as_str()?),
        directory,
    })
}

/// The name inside a package id: `path+file:///…/dir#name@0.1.0`, or `…/name#0.1.0` where the directory bears the name.
fn package_name(id: &str) -> Option<String> {
    let (path, version) = id.rsplit_once('#')?;
    let name = match version.split_once('@') {
        Some((name, _)) => name,
        None => path.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_package_id_are_read() {
        assert_eq!(
            package_name("path+file:///w/tests#postern-tests@0.1.0").as_deref(),
            Some("postern-tests")
        );
        assert_eq!(package_name("path+file:///w/xtask#0.1.0").as_deref(), Some("xtask"));
    }
}
