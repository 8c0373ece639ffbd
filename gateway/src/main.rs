//! The gateway's command.

use clap::Parser;
use postern_gateway::{
    command::{self, Action, Command, Settings},
    config::Config,
    exit::Failure,
    node,
    telemetry::{self, RunningLog},
};
use postern_tunnel_io::tls::crypto_provider;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Wrong usage, in the codes of sysexits.
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(command.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("postern-gateway: {failure}");
            failure.into()
        }
    }
}

fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::Version => println!("postern-gateway {}", env!("CARGO_PKG_VERSION")),
        Action::CheckConfig { keys: true, .. } => print!("{}", command::keys()),
        Action::CheckConfig { settings, .. } => {
            for warning in command::load(&settings)?.warnings() {
                eprintln!("warning: {warning}");
            }
            println!("the configuration is good");
        }
        Action::Migrate(settings) => {
            let (config, _log) = prepare(&settings)?;
            runtime()?.block_on(node::migrate(&config))?;
            println!("the store has this version's schema");
        }
        Action::Serve(settings) => {
            let (config, log) = prepare(&settings)?;
            runtime()?.block_on(node::serve(config, &settings, &log))?;
        }
    }
    Ok(())
}

fn prepare(settings: &Settings) -> Result<(Config, RunningLog), Failure> {
    let config = command::load(settings)?;
    let log = telemetry::init_log(&config.log)
        .map_err(|error| Failure::Software(format!("cannot start the log: {error}")))?;
    rustls::crypto::CryptoProvider::install_default((*crypto_provider()).clone())
        .map_err(|_| Failure::Software("a second cryptographic provider is in the program".to_owned()))?;
    Ok((config, log))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Software(format!("cannot start threads: {error}")))
}
