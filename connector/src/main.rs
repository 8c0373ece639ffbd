//! `postern-connector`: the agent inside a private network.

use clap::Parser;
use postern_connector::{
    cli::Cli,
    command::{Failure, execute},
    run::Orders,
};
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

// Gives memory back after thousands of sessions closed, which glibc's allocator does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Wrong usage (sysexits).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // It writes down what it carries, which is other people's bytes (L2).
    let filter = match "tungstenite=info".parse() {
        Ok(silent) => filter.add_directive(silent),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a cryptography provider is installed already");
    }
    match serve(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            eprintln!("postern-connector: {text}");
            ExitCode::from(code as u8)
        }
    }
}

#[tokio::main]
async fn serve(cli: Cli) -> Result<(), Failure> {
    let orders = Orders::default();
    tokio::spawn(listen_for_signals(orders.clone()));
    execute(cli, orders).await
}

/// The first signal asks for an orderly end, the second does not wait for sessions.
async fn listen_for_signals(orders: Orders) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for order in [&orders.stop, &orders.stop_now] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        order.cancel();
    }
}
