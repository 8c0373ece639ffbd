//! The commands that administer: each one call or two to the API.

mod apply;
mod connectors;
mod documents;
mod explain;
mod get;
mod host_keys;
mod sessions;
mod tokens;
mod users;

use crate::{cli::AdminCommand, failure::Failure, gateway::Api, home::Home, show::Form};

/// Does what the command line says.
pub async fn run(api: &Api<'_>, home: &Home, command: &AdminCommand, form: Form) -> Result<(), Failure> {
    match command {
        AdminCommand::Apply(command) => apply::run(api, command, form).await,
        AdminCommand::Get(command) => get::run(api, command, form).await,
        AdminCommand::Explain(command) => explain::run(api, command, form).await,
        AdminCommand::Users(command) => users::run(api, command, form).await,
        AdminCommand::Sessions(command) => sessions::run(api, command, form).await,
        AdminCommand::Connectors(command) => connectors::run(api, command, form).await,
        AdminCommand::HostKeys(command) => host_keys::run(api, home, command, form).await,
        AdminCommand::Tokens(command) => tokens::run(api, command, form).await,
    }
}
