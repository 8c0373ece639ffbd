//! Load generators, targets, the floor relay and the figures: `postern-bench run` measures all of them.
//!
//! Every load generator, target and relay is a process of its own: this program, started again in another role.
#![forbid(unsafe_code)]

mod certificates;
mod figures;
mod floor;
mod lanes;
mod load;
mod process;
mod report;
mod run;
mod scene;
mod stack;
mod stats;
mod target;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Debug, Parser)]
#[command(about = "Measures Postern beside its floor")]
struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Measures every figure and prints one table.
    Run(run::Args),
    /// A target: takes, gives, echoes or holds.
    #[command(hide = true)]
    Target,
    /// A load generator.
    #[command(hide = true, subcommand)]
    Load(load::Load),
    /// The middle of the floor: pairs WebSocket connections of both sides.
    #[command(hide = true)]
    FloorGateway(floor::GatewayArgs),
    /// The floor's side at the target.
    #[command(hide = true)]
    FloorConnector(floor::ConnectorArgs),
    /// The floor's side at the load generator.
    #[command(hide = true)]
    FloorClient(floor::ClientArgs),
    /// The tunnel's middle without policy and record.
    #[command(hide = true)]
    LaneGateway(lanes::GatewayArgs),
    /// The tunnel's side at the target, without grants.
    #[command(hide = true)]
    LaneConnector(lanes::ConnectorArgs),
    /// A local port into the tunnel, as `postern forward` opens it.
    #[command(hide = true)]
    LaneClient(lanes::ClientArgs),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Args::parse().role {
        Role::Run(args) => run::run(args).await,
        Role::Target => process::until_stdin_closes(target::serve()).await,
        Role::Load(load) => load.run().await,
        Role::FloorGateway(args) => process::until_stdin_closes(floor::gateway(args)).await,
        Role::FloorConnector(args) => process::until_stdin_closes(floor::connector(args)).await,
        Role::FloorClient(args) => process::until_stdin_closes(floor::client(args)).await,
        Role::LaneGateway(args) => process::until_stdin_closes(lanes::gateway(args)).await,
        Role::LaneConnector(args) => process::until_stdin_closes(lanes::connector(args)).await,
        Role::LaneClient(args) => process::until_stdin_closes(lanes::client(args)).await,
    }
}
