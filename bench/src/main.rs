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
mod streams;
mod target;
mod web;

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
    /// What web applications are measured with.
    #[command(hide = true, subcommand)]
    Web(web::Part),
}

fn main() -> Result<()> {
    let role = Args::parse().role;
    let runtime = if role.is_one_threaded() {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?
    } else {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?
    };
    runtime.block_on(role.play())
}

impl Role {
    /// As the real command is: one thread for what serves one person. Targets and load generators take no more of the
    /// machine than they must.
    fn is_one_threaded(&self) -> bool {
        match self {
            Self::Target | Self::Load(_) | Self::FloorClient(_) | Self::LaneClient(_) | Self::Web(_) => true,
            Self::Run(_)
            | Self::FloorGateway(_)
            | Self::FloorConnector(_)
            | Self::LaneGateway(_)
            | Self::LaneConnector(_) => false,
        }
    }

    async fn play(self) -> Result<()> {
        match self {
            Self::Run(args) => run::run(args).await,
            Self::Target => process::until_stdin_closes(target::serve()).await,
            Self::Load(load) => load.run().await,
            Self::FloorGateway(args) => process::until_stdin_closes(floor::gateway(args)).await,
            Self::FloorConnector(args) => process::until_stdin_closes(floor::connector(args)).await,
            Self::FloorClient(args) => process::until_stdin_closes(floor::client(args)).await,
            Self::LaneGateway(args) => process::until_stdin_closes(lanes::gateway(args)).await,
            Self::LaneConnector(args) => process::until_stdin_closes(lanes::connector(args)).await,
            Self::LaneClient(args) => process::until_stdin_closes(lanes::client(args)).await,
            Self::Web(part) => part.play().await,
        }
    }
}
