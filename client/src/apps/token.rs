//! `postern token`: a person's own tokens.

use crate::{
    cli::{TokenCommand, TokenCreate},
    failure::Failure,
    gateway::Api,
    new_secret::{self, Shown},
    show::{self, Form},
};
use postern_api::{AppTokenView, IssueAppTokenRequest, IssuedAppToken, List};

/// Does what the subcommand says.
pub async fn run(api: &Api<'_>, command: &TokenCommand, form: Form) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(create) => self::create(api, create, form).await,
        TokenCommand::List => {
            let tokens = api.get::<List<AppTokenView>>("me/app-tokens").await?.items;
            show::list(form, &tokens, &["id", "application", "path", "expires", "note"], row)
        }
        TokenCommand::Revoke { token } => {
            let revoked = api.delete(&format!("me/app-tokens/{token}")).await;
            revoked.map_err(|failure| failure.missing("postern token ls"))?;
            eprintln!("{token} is revoked");
            Ok(())
        }
    }
}

async fn create(api: &Api<'_>, command: &TokenCreate, form: Form) -> Result<(), Failure> {
    let wanted = IssueAppTokenRequest {
        resource: command.resource.to_string(),
        path: command.path.clone(),
        note: command.note.clone(),
        expires_in_secs: command.expires.map(|span| span.as_secs()),
    };
    let make = async {
        let made = api.post_json("me/app-tokens", &wanted).await;
        let made: IssuedAppToken = made.map_err(|failure: Failure| failure.missing("postern ls"))?;
        Ok((made.view.id, made.token, made.view.expires_at))
    };
    let revoke = |id| format!("postern token revoke {id}");
    let Shown { id, expires_at, place } =
        new_secret::hand_over(make, revoke, command.out.as_deref(), form).await?;
    eprintln!("token {id} for {}, {place}, is good until {}", command.resource, show::moment(expires_at));
    if command.out.is_none() {
        eprintln!("keep it where the program keeps its passwords: nobody can show it again");
    }
    Ok(())
}

fn row(token: &AppTokenView) -> Vec<String> {
    let name = if token.resource.name.is_empty() { "(removed)" } else { &token.resource.name };
    let path = if token.path.is_empty() { "/" } else { &token.path };
    let columns = [&token.id.to_string(), name, path, &show::moment(token.expires_at), &token.note];
    columns.map(ToOwned::to_owned).to_vec()
}
