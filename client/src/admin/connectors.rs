//! `postern connectors`.

use crate::{
    cli::ConnectorsCommand,
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{ConnectorState, ConnectorView, KeyRotation, List};

/// Does what the subcommand says.
pub(super) async fn run(api: &Api<'_>, command: &ConnectorsCommand, form: Form) -> Result<(), Failure> {
    match command {
        ConnectorsCommand::Ls => {
            let connectors = api.get::<List<ConnectorView>>("connectors").await?.items;
            show::list(form, &connectors, &["name", "id", "site", "state", "online"], row)
        }
        ConnectorsCommand::Revoke { connector } => {
            let revoked = api.post(&format!("connectors/{}/revoke", segment(connector)?)).await;
            let revoked: ConnectorView =
                revoked.map_err(|failure: Failure| failure.missing("postern connectors ls"))?;
            if form == Form::Json {
                return show::json(&revoked);
            }
            eprintln!("{} is revoked", revoked.name);
            Ok(())
        }
        ConnectorsCommand::RotateKeys => {
            let rotation: KeyRotation = api.post("grant-keys/rotate").await?;
            if form == Form::Json {
                return show::json(&rotation);
            }
            eprintln!(
                "the next key is announced to connectors, and signs from {} on",
                show::moment(rotation.signs_from)
            );
            Ok(())
        }
    }
}

fn row(connector: &ConnectorView) -> Vec<String> {
    let state = match connector.state {
        ConnectorState::Active if connector.ephemeral => "active (ephemeral)",
        ConnectorState::Active => "active",
        ConnectorState::Revoked => "revoked",
    };
    vec![
        connector.name.to_string(),
        connector.id.to_string(),
        connector.site.name.clone(),
        state.to_owned(),
        show::yes(connector.online),
    ]
}
