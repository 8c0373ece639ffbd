//! From the parsed command line to the module that does the work.

use crate::{
    account, admin, apps,
    cli::{Cli, Command},
    failure::Failure,
    home::Home,
    reach,
    show::{self, Form},
};
use clap::CommandFactory;

/// Does what the command line says.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "postern", &mut script);
        return show::text(&String::from_utf8_lossy(&script));
    }
    let home = Home::of_command(cli.home.as_deref())?;
    let form = if cli.json { Form::Json } else { Form::Text };
    match cli.command {
        Command::Login(command) => account::login(&home, &command).await,
        Command::Logout => account::logout(&home).await,
        Command::Whoami => account::whoami(&home, form).await,
        Command::Status => account::status(&home, form).await,
        Command::Ls => account::ls(&home, form).await,
        Command::Ssh(command) => reach::ssh::run(&home, &command),
        Command::Proxy(command) => reach::proxy::run(&home, &command.resource).await,
        Command::Forward(command) => reach::forward::run(&home, &command.mapping, cli.json).await,
        Command::Curl(command) => apps::curl::run(&home, &command).await,
        Command::Token(command) => {
            account::with_api(&home, async |api| apps::token::run(api, &command, form).await).await
        }
        Command::SshConfig(command) => {
            let resources = if command.remove { Vec::new() } else { account::my_resources(&home).await? };
            reach::ssh::config::run(&home, &command, &resources)
        }
        Command::KnownHosts(command) => reach::ssh::print_known_hosts(&home, &command.host),
        Command::Admin(command) => {
            account::with_api(&home, async |api| admin::run(api, &home, &command, form).await).await
        }
        Command::Completions { .. } => Ok(()),
    }
}
