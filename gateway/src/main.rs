//! The gateway's command.

use clap::Parser;
use postern_gateway::{
    command::{self, Action, Command},
    exit::Failure,
};
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
            command::load(&settings)?;
            println!("the configuration is good");
        }
        Action::Serve(settings) | Action::Migrate(settings) => {
            command::load(&settings)?;
        }
    }
    Ok(())
}
