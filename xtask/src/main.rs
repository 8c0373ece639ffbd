//! `cargo xtask …`: the commands of this repository.
#![forbid(unsafe_code)]

mod architecture;
mod bench;
mod build;
mod chaos;
mod check;
mod demo;
mod documents;
mod machine;
mod metadata;
mod modules;
mod outcome;
mod supply;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Everything a developer of Postern runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs gateway, connector and a private sshd on this machine and tells what to type.
    Demo(demo::Options),
    /// Formats, lints and tests everything, on SQLite and on a Postgres that it starts itself.
    Test(check::Options),
    /// Measures the data plane beside its floor: throughput, latency, memory, new sessions.
    Bench(bench::Options),
    /// Kills gateways at random moments while people copy and type, and counts what it cost.
    Chaos(chaos::Options),
    /// Checks the crate table, the import cycles and the supply chain only; needs no build.
    Architecture,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => check::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Chaos(options) => chaos::run(&options),
        Command::Architecture => check::structure_only(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
