//! `postern`: the user's command.

use clap::Parser;
use postern_client::{
    cli::Cli,
    failure::{Failure, code},
    run,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(code::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    // Another provider can only be there already if something else in this process installed it first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                eprintln!("{failure}");
            }
            ExitCode::from(failure.code)
        }
    }
}

fn execute(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::unavailable(format!("the runtime cannot be started: {e}")))?;
    let result = runtime.block_on(run(cli));
    // A read of standard input may wait for ever in its thread; it must not keep the process alive.
    runtime.shutdown_background();
    result
}
