//! `cargo xtask bench`: builds the release programs and runs the figures beside their floor.

use crate::workspace;
use anyhow::{Context, Result};
use clap::Args;
use std::process::ExitCode;

/// Handed to `postern-bench run` as they are.
#[derive(Args)]
pub(crate) struct Options {
    /// Arguments of `postern-bench run`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and measures.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let built = workspace::cargo()
        .args(["build", "--workspace", "--bins", "--release"])
        .status()
        .context("start cargo build")?;
    anyhow::ensure!(built.success(), "cargo build ended with {built}");
    let programs = workspace::target().join("release");
    let status = std::process::Command::new(programs.join("postern-bench"))
        .arg("run")
        .args(&options.arguments)
        .current_dir(workspace::root())
        .env("POSTERN_BIN_DIR", &programs)
        .status()
        .context("start postern-bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
