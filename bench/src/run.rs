//! The whole measurement: starts the stacks, interleaves the rounds, reports.

use crate::{
    certificates::Certificates,
    figures::{Group, Plan},
    process::Role,
    report::Report,
    scene::Scene,
    stack::Stack,
    web,
};
use anyhow::Result;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer rounds and fewer bytes: for a look, not for the record.
    #[arg(long)]
    quick: bool,
    /// Only the figures of these groups; `http` stands for every group about web applications.
    groups: Vec<String>,
    /// The same.
    #[arg(long)]
    only: Vec<String>,
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
    let groups = Group::named(&[&args.groups[..], &args.only].concat())?;
    let about_web = groups.iter().any(|group| group.is_http());
    if about_web {
        web::check()?;
    }
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
        let mut scene = tokio::task::block_in_place(|| Scene::set(&programs, &place, target_address))?;
        if about_web {
            scene.web = Some(
                web::Scene::set((&scene.gateway, &scene.owner), &certificates, &directory.path().join("web"))
                    .await?,
            );
        }
        Stack::postern(scene, target_address).await?
    };
    let plan = if args.quick { Plan::quick() } else { Plan::full() };
    let mut report = Report::default();
    for group in groups {
        eprintln!("measuring {}", group.label());
        group.measure(&plan, &floor, &ours, &mut report).await?;
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
