//! `cargo xtask test`: format, lints, structure, then every test on every store, with what each part took.

mod program;
mod structure;
mod suites;

use crate::outcome::{Count, Run};
use crate::{build, machine, workspace};
use anyhow::{Context, Result};
use clap::Args;
use std::process::{Command, ExitCode};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// Also the larger forms: more simulated seeds, bigger copies, longer storms.
    #[arg(long)]
    long: bool,
    /// Only tests whose name contains this; format, lints and structure are skipped.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Runs everything; the exit code says whether all of it held.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut run = Run::begin();
    if options.only.is_none() {
        run.part("format", || gate(workspace::cargo().args(["fmt", "--all", "--check"])));
        structure::parts(&mut run);
        run.part("lints (clippy, warnings are errors)", || gate(&mut clippy()));
    }
    let mut programs = Vec::new();
    let built = run.part("build", || {
        programs = build::everything()?;
        Ok(Count::one())
    });
    let ready = run.part("tools on this machine", || {
        machine::ready_for_the_tests(options.long)?;
        Ok(Count::one())
    });
    if built && options.only.is_none() {
        run.part("examples in the documentation", documentation);
    }
    if built && ready {
        suites::run(
            &mut run,
            &programs,
            &suites::Selection { long: options.long, only: options.only.clone() },
        );
    }
    Ok(if run.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The checks that need no build.
pub(crate) fn structure_only() -> Result<ExitCode> {
    let mut run = Run::begin();
    structure::parts(&mut run);
    Ok(if run.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn documentation() -> Result<Count> {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--doc", "--profile", workspace::PROFILE, "--quiet"]);
    let output = command.output().context("start cargo test --doc")?;
    let mut count = program::counted(&String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        count.failed = count.failed.max(1);
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(count)
}

fn clippy() -> Command {
    let mut command = workspace::cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--profile", workspace::PROFILE]);
    command.args(["--quiet", "--", "-D", "warnings"]);
    command
}

/// A command that holds if it ends well; it prints its own findings.
fn gate(command: &mut Command) -> Result<Count> {
    let status = command.status().with_context(|| format!("start {:?}", command.get_program()))?;
    Ok(if status.success() { Count::one() } else { Count::failure(format!("ended with {status}")) })
}
