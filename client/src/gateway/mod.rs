//! The gateway's HTTP side: the API, and the endpoints of signing in.

mod api;
mod no_answer;
mod refused;

pub use api::{Api, segment};
pub use no_answer::{NoAnswer, unreachable};
pub use refused::without_problem;

use crate::{
    failure::{Failure, chain, printable},
    home::Profile,
};
use reqwest::{RequestBuilder, Response, redirect};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

const CONNECT_MAX: Duration = Duration::from_secs(10);
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// More than this is no answer of our gateway.
const ANSWER_MAX_BYTES: usize = 32 * 1024 * 1024;

/// An HTTP client that trusts what the profile trusts and follows no redirect.
pub fn http(profile: &Profile) -> Result<reqwest::Client, Failure> {
    let tls = profile.trust().client_config(&[b"http/1.1"]).map_err(|e| Failure::usage(chain(&e)))?;
    reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_MAX)
        .timeout(ANSWER_MAX)
        .user_agent(concat!("postern/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| Failure::unavailable(chain(&e)))
}

/// Sends a request to the gateway, or to the next of its nodes where no connection is to be had. A request that may have
/// arrived is not sent again.
pub async fn send(
    profile: &Profile,
    path: &str,
    request: impl Fn(Url) -> RequestBuilder,
) -> Result<Response, NoAnswer> {
    let mut missed: Option<NoAnswer> = None;
    for url in profile.urls(path) {
        match request(url).send().await {
            Err(error) if error.is_connect() => {
                let no = NoAnswer::of(profile, &error);
                missed = Some(match missed {
                    Some(first) => NoAnswer { is_away: first.is_away && no.is_away, ..first },
                    None => no,
                });
            }
            Err(error) => return Err(NoAnswer::of(profile, &error)),
            Ok(answer) => return Ok(answer),
        }
    }
    Err(missed.unwrap_or_else(|| NoAnswer {
        failure: Failure::unavailable("the gateway has no address"),
        is_away: false,
        may_have_arrived: false,
    }))
}

/// Makes sure that a gateway is there, trusted, and the one that it is taken for, before a person is sent to it.
pub async fn meet(profile: &Profile) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
    }
    let http = http(profile)?;
    let answer = send(profile, "/.well-known/oauth-authorization-server", |url| http.get(url)).await?;
    let status = answer.status();
    if status.is_server_error() {
        return Err(without_problem(status));
    }
    let told = body(answer).await?;
    let issuer = serde_json::from_slice::<Metadata>(&told).ok().map(|metadata| printable(&metadata.issuer));
    match issuer {
        Some(issuer) if issuer == profile.issuer() => Ok(()),
        Some(issuer) => {
            Err(Failure::usage(format!("the gateway at {} calls itself {issuer}", profile.gateway))
                .then(format!("postern login --gateway {issuer}")))
        }
        None => Err(Failure::usage(format!("there is no Postern gateway at {}", profile.gateway))
            .then("postern login --gateway URL, with the address that your administrator gave you")),
    }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| Failure::unavailable(chain(&e)))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_MAX_BYTES {
            return Err(Failure::unavailable("the gateway's answer is too long"));
        }
    }
    Ok(bytes)
}
