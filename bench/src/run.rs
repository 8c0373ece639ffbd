//! The whole measurement: starts the stacks, interleaves the rounds, reports.

use crate::{
    certificates::Certificates,
    figures::{self, Plan},
    process::Role,
    report::Report,
    scene::Scene,
    stack::Stack,
};
use anyhow::Result;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer rounds and fewer bytes: for a look, not for the record.
    #[arg(long)]
    quick: bool,
    /// Only the figures whose group has this name.
    #[arg(long)]
    only: Vec<figures::Group>,
    /// Where the release programs are.
    #[arg(long, env = "POSTERN_BIN_DIR", default_value = "target/release")]
    bin_dir: PathBuf,
    /// The JSON file.
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
    /// The tunnel alone instead of the real programs: no policy, no record.
    #[arg(long)]
    transport: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let certificates = Certificates::make(directory.path())?;
    let mut target = Role::start("target", &[])?;
    let target_address = target.address().await?;
    let floor = Stack::floor(&certificates, target_address).await?;
    let ours = if args.transport {
        Stack::transport(&certificates, target_address).await?
    } else {
        eprintln!("setting the scene");
        let (programs, place) = (std::fs::canonicalize(&args.bin_dir)?, directory.path().join("scene"));
        // On this thread, which lasts: the processes of the scene end with the thread that started them.
        let scene = tokio::task::block_in_place(|| Scene::set(&programs, &place, target_address))?;
        Stack::postern(scene, target_address).await?
    };
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let mut report = Report::default();
    for &group in figures::Group::ALL {
        if args.only.is_empty() || args.only.contains(&group) {
            eprintln!("measuring {}", group.label());
            group.measure(&plan, &floor, &ours, &mut report).await?;
        }
    }
    report.print();
    report.write(&args.out)?;
    println!("written to {}", args.out.display());
    if !report.is_met() {
        eprintln!("a bar is missed");
        std::process::exit(1);
    }
    Ok(())
}
