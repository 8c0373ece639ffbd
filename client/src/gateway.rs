//! The gateway's HTTP side: the API, and the endpoints of signing in.

use crate::{
    bearer::Bearer,
    failure::{Failure, chain, code, printable},
    home::Profile,
    patience::is_absence,
};
use postern_api::{Problem, ProblemCode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{error::Error, io, iter, time::Duration};
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

/// Why a request got no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// The failure that it is.
    pub failure: Failure,
    /// Whether nobody was there, or whoever was went without a word, as at a gateway that restarts.
    pub is_away: bool,
}

impl From<NoAnswer> for Failure {
    fn from(no: NoAnswer) -> Self {
        no.failure
    }
}

impl NoAnswer {
    fn of(profile: &Profile, error: &reqwest::Error) -> Self {
        let causes = iter::successors(error.source(), |&cause| cause.source());
        let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        let went = error.is_request() && !error.is_connect() && !error.is_timeout();
        Self { failure: unreachable(profile, error), is_away: went || kinds.any(is_absence) }
    }
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
    let nowhere = || NoAnswer { failure: Failure::unavailable("the gateway has no address"), is_away: false };
    Err(missed.unwrap_or_else(nowhere))
}

/// The failure of a request that got no answer.
pub fn unreachable(profile: &Profile, error: &reqwest::Error) -> Failure {
    let cause = error.source().map_or_else(|| error.to_string(), chain);
    let cause = cause.trim_start_matches("client error (Connect): ");
    let failure = Failure::unavailable(format!("{} cannot be reached: {cause}", profile.gateway));
    if !cause.contains("invalid peer certificate") {
        return failure;
    }
    failure.then(if profile.trust().system_roots {
        "postern login --gateway URL --ca-sha256 HEX, if the gateway has its own CA: it printed the fingerprint"
    } else {
        "compare the CA that is trusted here with the one that the gateway printed at its first start"
    })
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

/// The API as one caller sees it.
#[derive(Debug)]
pub struct Api<'a> {
    client: reqwest::Client,
    profile: &'a Profile,
    bearer: &'a Bearer,
}

impl<'a> Api<'a> {
    /// The API of the profile's gateway.
    pub fn new(profile: &'a Profile, bearer: &'a Bearer) -> Result<Self, Failure> {
        Ok(Self { client: http(profile)?, profile, bearer })
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, |request| request).await
    }

    /// Does something that needs no words.
    pub async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::POST, path, |request| request).await
    }

    /// Does something.
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, |request| request.json(body)).await
    }

    /// Removes something.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        let answer = self.send(Method::DELETE, path, |request| request).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(answer, self.bearer).await) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        send(self.profile, &format!("/api/v1/{path}"), |mut url| {
            url.set_query(Some(query).filter(|query| !query.is_empty()));
            fill(self.client.request(method.clone(), url).bearer_auth(self.bearer.secret()))
        })
        .await
        .map_err(Failure::from)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        fill: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Failure> {
        let answer = self.send(method, path, fill).await?;
        if !answer.status().is_success() {
            return Err(refused(answer, self.bearer).await);
        }
        let bytes = body(answer).await?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Failure::unavailable(format!("the gateway's answer is not understood: {e}")))
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

/// The failure that a refusing answer stands for.
async fn refused(answer: Response, bearer: &Bearer) -> Failure {
    let status = answer.status();
    let bytes = body(answer).await.unwrap_or_default();
    match serde_json::from_slice::<Problem>(&bytes).ok() {
        Some(problem) if problem.code == ProblemCode::Unauthenticated && bearer.is_service_account() => {
            Failure::new(code::DENIED, "the gateway does not accept POSTERN_TOKEN")
                .then("have an owner make another: postern tokens create --service-account NAME")
        }
        Some(problem) if problem.code == ProblemCode::Unauthenticated => {
            Failure::signed_out("the gateway does not accept your sign-in any more")
        }
        Some(problem) => Failure::problem(&problem),
        None => unfamiliar(status, &bytes),
    }
}

/// A problem with a code of a newer gateway: its own words, and the exit code of its status.
fn unfamiliar(status: StatusCode, bytes: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Words {
        detail: String,
        next: String,
    }
    let bare = without_problem(status);
    match serde_json::from_slice::<Words>(bytes) {
        Ok(words) => Failure::new(bare.code, printable(&words.detail)).then(printable(&words.next)),
        Err(_) => bare,
    }
}

/// What a status alone says; proxies and load balancers answer without a problem document.
pub fn without_problem(status: StatusCode) -> Failure {
    let exit = match status.as_u16() {
        401 | 403 => code::DENIED,
        404 => code::NOT_FOUND,
        408 | 429 | 500.. => code::UNAVAILABLE,
        _ => code::USAGE,
    };
    Failure::new(exit, format!("the gateway answered {status}"))
}

/// One path segment from text that a person typed.
pub fn segment(text: &str) -> Result<&str, Failure> {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || text.starts_with('.') || !text.bytes().all(is_safe) {
        return Err(Failure::usage(format!("{text:?} is neither a name nor an id")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_path_segment() {
        for bad in ["", "..", ".", "a/b", "a?b", "a#b", "a%2fb", "a b", "é"] {
            assert_eq!(segment(bad).map_err(|failure| failure.code), Err(64), "{bad}");
        }
        assert_eq!(segment("db-1.prod"), Ok("db-1.prod"));
    }

    #[test]
    fn a_bare_status_has_an_exit_code_too() {
        for (status, exit) in [(400, 64), (403, 77), (404, 69), (502, 75), (429, 75)] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(without_problem(status).code, exit, "{status}");
        }
    }

    #[test]
    fn a_problem_of_a_newer_gateway_speaks_for_itself() {
        let newer =
            br#"{"code":"too_windy","detail":"It is too windy.","next":"Wait.","status":409,"more":1}"#;
        let failure = unfamiliar(StatusCode::CONFLICT, newer);
        assert_eq!((failure.code, failure.sentence.as_str()), (64, "It is too windy"));
        assert_eq!(failure.next.as_deref(), Some("Wait."));
        assert_eq!(unfamiliar(StatusCode::BAD_GATEWAY, b"<html>").code, 75);
    }
}
