//! `postern tokens`.

use crate::{
    cli::{TokensCommand, TokensCreate},
    failure::Failure,
    gateway::{Api, segment},
    new_secret::{self, Shown},
    show::{self, Form},
};
use postern_api::{
    EnrolmentTokenReply, EnrolmentTokenRequest, IssueTokenRequest, IssuedToken, List, Time, TokenKind,
    TokenView,
};
use postern_ids::TokenId;
use std::path::Path;

/// Does what the subcommand says.
pub(super) async fn run(api: &Api<'_>, command: &TokensCommand, form: Form) -> Result<(), Failure> {
    match command {
        TokensCommand::Create(create) => self::create(api, create, form).await,
        TokensCommand::Ls => {
            let tokens = api.get::<List<TokenView>>("tokens").await?.items;
            show::list(form, &tokens, &["id", "for", "owner", "uses left", "expires", "note"], row)
        }
        TokensCommand::Revoke { token } => {
            let revoked = api.delete(&format!("tokens/{token}")).await;
            revoked.map_err(|failure| failure.missing("postern tokens ls"))?;
            eprintln!("{token} is revoked");
            Ok(())
        }
    }
}

async fn create(api: &Api<'_>, command: &TokensCreate, form: Form) -> Result<(), Failure> {
    let revoke = |id| format!("postern tokens revoke {id}");
    let made = new_secret::hand_over(make(api, command), revoke, command.out.as_deref(), form).await?;
    let Shown { id, expires_at, place } = made;
    eprintln!("token {id}, {place}, is good until {}", show::moment(expires_at));
    let file = command.out.as_deref().unwrap_or(Path::new("FILE")).display();
    if command.site.is_some() {
        eprintln!("use it with: postern-connector run --token-file {file} --allow HOST:PORT");
    } else {
        eprintln!("use it with: POSTERN_GATEWAY=https://… POSTERN_TOKEN=$(cat {file}) postern ls");
    }
    Ok(())
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
            let made = api.post_json("enrolment-tokens", &request).await;
            let made: EnrolmentTokenReply =
                made.map_err(|failure: Failure| failure.missing("postern get sites"))?;
            Ok((made.id, made.token, made.expires_at))
        }
        (None, Some(account)) => {
            let request = IssueTokenRequest { note: command.note.clone(), expires_in_secs };
            let path = format!("service-accounts/{}/tokens", segment(account)?);
            let made = api.post_json(&path, &request).await;
            let made: IssuedToken =
                made.map_err(|failure: Failure| failure.missing("postern get service-accounts"))?;
            Ok((made.id, made.token, made.expires_at))
        }
        (None, None) => Err(Failure::usage("--site or --service-account is needed")),
    }
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
        show::moment(token.expires_at),
        token.note.clone(),
    ]
}
