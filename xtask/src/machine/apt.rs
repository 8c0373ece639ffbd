//! Debian's packages, where this process may install them.

use anyhow::{Context, Result};
use postern_tests::tools;
use std::process::{Command, Stdio};

/// A tool from outside, and the Debian package that brings it.
pub(super) struct Need {
    pub(super) tool: &'static str,
    pub(super) package: &'static str,
}

/// Brings what is missing, or says what to install.
pub(super) fn bring(needs: &[Need]) -> Result<()> {
    let packages = missing(needs);
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !apt_is_ours() {
        anyhow::bail!(
            "missing on this machine: {list}. Install them first, on Debian with: apt-get install -y {list}"
        );
    }
    eprintln!("installing with apt-get: {list}");
    let update = apt_get(&["update", "-q"]);
    if install(&packages).is_err() {
        update.context("apt-get update")?;
        install(&packages)?;
    }
    let still = missing(needs);
    anyhow::ensure!(still.is_empty(), "installed, yet still missing: {}", still.join(" "));
    Ok(())
}

/// Whether packages of Debian can be installed from here.
pub(super) fn apt_is_ours() -> bool {
    tools::am_root() && tools::find("apt-get").is_some()
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<&'static str> =
        needs.iter().filter(|need| tools::find(need.tool).is_none()).map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Installs packages.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // The packages bring services that must not start: the tests run their own, on ports of their own.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("start apt-get")?;
    anyhow::ensure!(status.success(), "apt-get {} ended with {status}", arguments.first().unwrap_or(&""));
    Ok(())
}
