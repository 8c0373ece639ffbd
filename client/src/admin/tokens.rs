//! `postern tokens`.

use crate::{
    cli::{TokensCommand, TokensCreate},
    failure::Failure,
    gateway::{Api, segment},
    show::{self, Form},
};
use postern_api::{
    EnrolmentTokenReply, EnrolmentTokenRequest, IssueTokenRequest, IssuedToken, List, Time, TokenKind,
    TokenView,
};
use postern_ids::TokenId;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Does what the subcommand says.
pub async fn run(api: &Api<'_>, command: &TokensCommand, form: Form) -> Result<(), Failure> {
    match command {
        TokensCommand::Create(create) => self::create(api, create, form).await,
        TokensCommand::Ls => {
            let tokens = api.get::<List<TokenView>>("tokens").await?.items;
            show::list(form, &tokens, &["id", "for", "owner", "uses left", "expires", "note"], row)
        }
        TokensCommand::Revoke { token } => {
            api.delete(&format!("tokens/{token}")).await?;
            eprintln!("{token} is revoked");
            Ok(())
        }
    }
}

async fn create(api: &Api<'_>, command: &TokensCreate, form: Form) -> Result<(), Failure> {
    // The file first: a token that cannot be kept should not exist.
    let file = command.out.as_deref().map(new_file).transpose()?;
    let made = make(api, command).await;
    if let (Err(_), Some(path)) = (&made, &command.out) {
        // Ours and empty: the next try needs the name.
        let _ = std::fs::remove_file(path);
    }
    let (id, secret, expires_at) = made?;
    hand_over(id, &secret, expires_at, file, command, form)
}

async fn make(api: &Api<'_>, command: &TokensCreate) -> Result<(TokenId, String, Time), Failure> {
    let expires_in_secs = command.expires.map(|span| span.as_secs());
    match (&command.site, &command.service_account) {
        (Some(site), _) => {
            let request = EnrolmentTokenRequest {
                site: site.clone(),
                uses: command.uses,
                expires_in_secs,
                ephemeral: command.ephemeral,
            };
            let made: EnrolmentTokenReply = api.post_json("enrolment-tokens", &request).await?;
            Ok((made.id, made.token, made.expires_at))
        }
        (None, Some(account)) => {
            let request = IssueTokenRequest { note: command.note.clone(), expires_in_secs };
            let path = format!("service-accounts/{}/tokens", segment(account)?);
            let made: IssuedToken = api.post_json(&path, &request).await?;
            Ok((made.id, made.token, made.expires_at))
        }
        (None, None) => Err(Failure::usage("--site or --service-account is needed")),
    }
}

fn hand_over(
    id: TokenId,
    secret: &str,
    expires_at: Time,
    file: Option<std::fs::File>,
    command: &TokensCreate,
    form: Form,
) -> Result<(), Failure> {
    let place = match (file, &command.out) {
        (Some(mut file), Some(path)) => {
            let written = writeln!(file, "{secret}").and_then(|()| file.sync_all());
            written.map_err(|e| {
                Failure::unavailable(format!("{}: {e}", path.display()))
                    .then(format!("postern tokens revoke {id}"))
            })?;
            if form == Form::Json {
                show::json(&serde_json::json!({ "id": id, "file": path, "expires_at": expires_at }))?;
            }
            format!("in {}", path.display())
        }
        _ => {
            if form == Form::Json {
                show::json(&serde_json::json!({ "id": id, "token": secret, "expires_at": expires_at }))?;
            } else {
                println!("{secret}");
            }
            "shown this once".to_owned()
        }
    };
    eprintln!("token {id}, {place}, is good until {expires_at}");
    if command.site.is_some() {
        eprintln!("use it with: postern-connector run --token-file FILE --allow HOST:PORT");
    }
    Ok(())
}

/// A file that did not exist, for its owner only.
fn new_file(path: &Path) -> Result<std::fs::File, Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(|e| {
        let exists = e.kind() == io::ErrorKind::AlreadyExists;
        let why = if exists { "it exists already and is not overwritten".to_owned() } else { e.to_string() };
        Failure::usage(format!("{}: {why}", path.display()))
    })
}

fn row(token: &TokenView) -> Vec<String> {
    let kind = match token.kind {
        TokenKind::ServiceAccount => "service account",
        TokenKind::Enrolment => "enrolment",
    };
    vec![
        token.id.to_string(),
        kind.to_owned(),
        token.owner.name.clone(),
        token.uses_left.map(|left| left.to_string()).unwrap_or_default(),
        token.expires_at.to_string(),
        token.note.clone(),
    ]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn o13_a_secret_goes_to_a_new_0600_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = new_file(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(new_file(&path).unwrap_err().code, 64);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert!(new_file(&link).is_err(), "a planted link is not followed");
    }
}
