//! `cargo xtask demo`: the whole way of the data on one machine, in a directory of its own.

mod scene;
mod steps;
mod tour;

use crate::{build, machine, workspace};
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
    let mut steps = steps::Steps::begin();
    steps.take("tools on this machine", machine::ready_for_the_demo)?;
    steps.take("build the programs", build::programs)?;
    let mut scene = scene::set(&mut steps)?;
    if options.check {
        tour::walk(&mut scene, &mut steps)?;
        steps.finish();
    } else {
        println!("{}", scene.what_to_type());
        scene.stay()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the demo keeps everything; emptied at each start.
fn directory() -> std::path::PathBuf {
    workspace::target().join("demo")
}
