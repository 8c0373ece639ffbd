//! Signing in: in a browser, on another device, or as the first owner; and keeping the sign-in alive.

pub mod bootstrap;
pub mod browser;
pub mod device;
mod loopback;

use crate::{
    clock::now,
    failure::{Failure, chain, printable},
    gateway::{self, NoAnswer},
    home::{Home, Profile, Tokens},
};
use postern_api::oauth::{CLIENT_ID, ErrorReply, GRANT_REFRESH_TOKEN, TokenReply};

/// What the token endpoint answered instead of tokens.
enum TokenError {
    /// The standard's word and a sentence.
    Oauth(ErrorReply),
    /// No usable answer.
    Failed(Failure),
    /// Nobody there.
    Away(Failure),
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Oauth(reply) => oauth_failure(&reply),
            TokenError::Failed(failure) | TokenError::Away(failure) => failure,
        }
    }
}

impl From<NoAnswer> for TokenError {
    fn from(no: NoAnswer) -> Self {
        if no.is_away { Self::Away(no.failure) } else { Self::Failed(no.failure) }
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
    let sent = gateway::send(profile, path, |url| http.post(url).form(form)).await;
    let answer = sent?;
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

/// What a sign-in or a refresh gave.
#[derive(Debug)]
pub struct Granted {
    /// The tokens.
    pub tokens: Tokens,
    /// The addresses of the gateway's nodes.
    gateways: Vec<String>,
}

impl Granted {
    fn from_reply(profile: &Profile, mut reply: TokenReply) -> Self {
        let gateways = std::mem::take(&mut reply.gateways);
        Self { tokens: Tokens::from_reply(reply, profile.gateway.as_str(), now()), gateways }
    }

    /// Keeps the tokens, and in the kept profile of their gateway what else it told.
    pub fn keep(self, home: &Home, profile: &Profile) -> Result<Tokens, Failure> {
        self.tokens.save(home)?;
        profile.learn(home, &self.gateways)?;
        Ok(self.tokens)
    }
}

async fn post_token(profile: &Profile, form: &[(&str, &str)]) -> Result<Granted, TokenError> {
    Ok(Granted::from_reply(profile, post_form(profile, "/oauth/token", form).await?))
}

/// Why tokens could not be refreshed.
#[derive(Debug)]
pub enum RefreshError {
    /// The sign-in is over; only the person can begin a new one.
    Ended,
    /// The gateway cannot do it; later it may.
    Unavailable(Failure),
    /// The gateway is not there. The same refresh may be asked for again: its answer is the same for a while.
    Away(Failure),
}

/// Gets the next pair of tokens.
pub async fn refresh(profile: &Profile, tokens: &Tokens) -> Result<Granted, RefreshError> {
    let form = [
        ("grant_type", GRANT_REFRESH_TOKEN),
        ("client_id", CLIENT_ID),
        ("refresh_token", tokens.refresh_token.as_str()),
    ];
    match post_token(profile, &form).await {
        Ok(granted) => Ok(granted),
        Err(TokenError::Oauth(_)) => Err(RefreshError::Ended),
        Err(TokenError::Failed(failure)) => Err(RefreshError::Unavailable(failure)),
        Err(TokenError::Away(failure)) => Err(RefreshError::Away(failure)),
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
    let answer = gateway::send(profile, "/oauth/revoke", |url| http.post(url).form(&form)).await;
    let status = answer?.status();
    if status.is_success() { Ok(()) } else { Err(gateway::without_problem(status)) }
}
