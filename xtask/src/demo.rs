//! `cargo xtask demo`: the whole way of the data on one machine, in a directory of its own.

use crate::{build, machine};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// How to show it.
#[derive(Args)]
pub(crate) struct Options {
    /// Walk the whole tour without a person, print each step and its time, and end.
    #[arg(long)]
    check: bool,
}

/// Shows it.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    machine::ready_for_the_demo()?;
    build::programs()?;
    anyhow::bail!("the tour{} has no steps yet", if options.check { " (--check)" } else { "" })
}
