//! A Python of the tests' own, with the packages of `tests/python`: what the recipes of the documentation need, and JupyterLab.

use super::apt::{Need, apt_is_ours, install};
use crate::workspace;
use anyhow::{Context, Result};
use postern_tests::tools;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const PYTHON: Need = Need { tool: "python3", package: "python3-venv" };

/// Brings it below the target directory; each list of packages is installed again when it changed.
pub(crate) fn bring(long: bool) -> Result<()> {
    let environment = workspace::target().join(tools::PYTHON);
    let lists: &[&str] =
        if long { &["requirements.txt", "requirements-long.txt"] } else { &["requirements.txt"] };
    for list in lists {
        let wanted = workspace::root().join("tests/python").join(list);
        let installed = environment.join(list);
        if fs::read(&installed).ok() == Some(fs::read(&wanted)?) {
            continue;
        }
        if !environment.join("bin/pip").is_file() {
            make(&environment)?;
        }
        eprintln!("installing with pip: tests/python/{list}");
        let mut pip = Command::new(environment.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(&wanted)).context("pip install")?;
        fs::copy(&wanted, &installed)?;
    }
    Ok(())
}

/// Debian's Python has no environments of its own without a further package.
fn make(environment: &Path) -> Result<()> {
    let venv = || run(Command::new(PYTHON.tool).args(["-m", "venv", "--clear"]).arg(environment));
    if venv().is_err() {
        anyhow::ensure!(apt_is_ours(), "missing on this machine: {}", PYTHON.package);
        install(&[PYTHON.package])?;
        venv()?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("start {program}"))?;
    anyhow::ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
