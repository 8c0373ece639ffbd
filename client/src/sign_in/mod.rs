//! Signing in: in a browser, on another device, or as the first owner; and keeping the sign-in alive.

pub mod bootstrap;
pub mod browser;
pub mod device;
mod loopback;

use crate::{
    bearer::now,
    failure::{Failure, chain, printable},
    gateway,
    home::{Profile, Tokens},
};
use postern_api::oauth::{CLIENT_ID, ErrorReply, GRANT_REFRESH_TOKEN, TokenReply};

/// What the token endpoint answered instead of tokens.
enum TokenError {
    /// The standard's word and a sentence.
    Oauth(ErrorReply),
    /// No usable answer.
    Failed(Failure),
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Oauth(reply) => oauth_failure(&reply),
            TokenError::Failed(failure) => failure,
        }
    }
}

fn oauth_failure(reply: &ErrorReply) -> Failure {
    let told = if reply.error_description.is_empty() { &reply.error } else { &reply.error_description };
    Failure::signed_out(format!("the sign-in failed: {}", printable(told)))
}

/// Posts a form to an OAuth endpoint.
async fn post_form<T: serde::de::DeserializeOwned>(
    profile: &Profile,
    path: &str,
    form: &[(&str, &str)],
) -> Result<T, TokenError> {
    let http = gateway::http(profile).map_err(TokenError::Failed)?;
    let answer = http.post(profile.url(path)).form(form).send().await;
    let answer = answer.map_err(|e| TokenError::Failed(gateway::unreachable(profile, &e)))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|e| TokenError::Failed(Failure::unavailable(chain(&e))))?;
    if status.is_success() {
        let misread = |e| {
            TokenError::Failed(Failure::unavailable(format!("the gateway's answer is not understood: {e}")))
        };
        return serde_json::from_slice(&body).map_err(misread);
    }
    if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
        return Err(TokenError::Failed(gateway::without_problem(status)));
    }
    Err(match serde_json::from_slice::<ErrorReply>(&body) {
        Ok(reply) => TokenError::Oauth(reply),
        Err(_) => TokenError::Failed(gateway::without_problem(status)),
    })
}

async fn post_token(profile: &Profile, form: &[(&str, &str)]) -> Result<Tokens, TokenError> {
    let reply: TokenReply = post_form(profile, "/oauth/token", form).await?;
    Ok(Tokens::from_reply(reply, profile.gateway.as_str(), now()))
}

/// Why tokens could not be refreshed.
#[derive(Debug)]
pub enum RefreshError {
    /// The sign-in is over; only the person can begin a new one.
    Ended,
    /// The gateway did not answer; later it may.
    Unavailable(Failure),
}

/// Gets the next pair of tokens.
pub async fn refresh(profile: &Profile, tokens: &Tokens) -> Result<Tokens, RefreshError> {
    let form = [
        ("grant_type", GRANT_REFRESH_TOKEN),
        ("client_id", CLIENT_ID),
        ("refresh_token", tokens.refresh_token.as_str()),
    ];
    match post_token(profile, &form).await {
        Ok(tokens) => Ok(tokens),
        Err(TokenError::Oauth(_)) => Err(RefreshError::Ended),
        Err(TokenError::Failed(failure)) => Err(RefreshError::Unavailable(failure)),
    }
}

/// Tells the gateway that these tokens are not needed any more.
pub async fn revoke(profile: &Profile, tokens: &Tokens) -> Result<(), Failure> {
    let http = gateway::http(profile)?;
    let form = [
        ("client_id", CLIENT_ID),
        ("token", tokens.refresh_token.as_str()),
        ("token_type_hint", "refresh_token"),
    ];
    let answer = http.post(profile.url("/oauth/revoke")).form(&form).send().await;
    let status = answer.map_err(|e| gateway::unreachable(profile, &e))?.status();
    if status.is_success() { Ok(()) } else { Err(gateway::without_problem(status)) }
}
