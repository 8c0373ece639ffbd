//! `cargo xtask chaos`: gateways are killed at random moments for as long as wanted, and everything that it cost is counted.

use crate::{machine, workspace};
use anyhow::{Context, Result};
use clap::Args;
use postern_tests::chaos::{Report, Storm, freeze, partitions};
use postern_tests::{Chance, Fleet, Plan, Scratch};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Silent partitions of each run; each costs ten seconds.
const PARTITIONS: usize = 5;

/// How much of it.
#[derive(Args)]
pub(crate) struct Options {
    /// Kills of a gateway: half of them where it is the only one, half where it is one of two.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// What decides the moments; a seed of an earlier run repeats them.
    #[arg(long)]
    seed: Option<u64>,
    /// The size of each copy, in MiB.
    #[arg(long, default_value_t = 256)]
    copy_mib: u64,
    /// A file for the figures, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the programs lie, if they are not to be built: those of a release, for example.
    #[arg(long, value_name = "DIRECTORY")]
    programs: Option<PathBuf>,
}

/// Builds, breaks, and says what it cost.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let programs = options.programs.clone().map_or_else(build, Ok)?;
    machine::ready_for_the_tests(false)?;
    let seed = options.seed.unwrap_or_else(seed_of_the_day);
    eprintln!("seed {seed}");
    let mut chance = Chance::new(seed);
    let alone = options.kills.div_ceil(2);
    let mut report = Report { seed, ..Report::default() };
    for (kills, gateways) in [(alone, 1), (options.kills - alone, 2)] {
        // Whatever goes wrong, what was counted is said.
        match weather(options, &programs, (kills, gateways), &mut chance) {
            Ok(counted) => report.add(counted),
            Err(error) => report.failures.push(format!("{gateways} gateways: {error:#}")),
        }
    }
    for session in &report.sessions_lost {
        println!("lost: {session}");
    }
    for failure in &report.failures {
        println!("failed: {failure}");
    }
    print!("{}", report.table());
    let json = format!("{:#}", report.json());
    println!("{json}");
    if let Some(file) = &options.json {
        std::fs::write(file, json).with_context(|| format!("write {}", file.display()))?;
    }
    for missed in report.missed() {
        println!("MISSED  {missed}");
    }
    Ok(if report.missed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The programs as they are released.
fn build() -> Result<PathBuf> {
    let built = workspace::cargo()
        .args(["build", "--workspace", "--bins", "--release"])
        .status()
        .context("start cargo build")?;
    anyhow::ensure!(built.success(), "cargo build ended with {built}");
    Ok(workspace::target().join("release"))
}

/// One fleet: the storm, then silent partitions of a single gateway, or the frozen one of two.
fn weather(
    options: &Options,
    programs: &Path,
    (kills, gateways): (usize, usize),
    chance: &mut Chance,
) -> Result<Report> {
    let scratch = Scratch::new("chaos")?;
    let programs = Some(programs.to_path_buf());
    let plan = Plan { seed: chance.number(), programs, ..Plan::of(gateways) };
    let mut fleet = Fleet::start(&scratch, &plan)?;
    let storm = Storm { kills, seed: chance.number(), copy_mib: options.copy_mib };
    let mut report = storm.run(&mut fleet, &scratch, |number, stall| {
        let (stalled, restart) = (stall.stall.as_secs_f64(), stall.restart.as_secs_f64());
        eprintln!(
            "{gateways} gateways, kill {number} of {kills}: stall {stalled:.3} s, restart {restart:.3} s"
        );
    })?;
    let last = match gateways {
        1 => {
            partitions(&fleet, &scratch, PARTITIONS, chance).map(|partitions| report.partitions = partitions)
        }
        _ => freeze(&mut fleet, &scratch).map(|counted| report.add(counted)),
    };
    if let Err(error) = last {
        report.failures.push(format!("{gateways} gateways, after the storm: {error:#}"));
    }
    Ok(report)
}

/// Without a seed each run is another one.
fn seed_of_the_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
