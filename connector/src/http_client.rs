//! The one HTTP call that a connector makes: JSON out, JSON or a problem back.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use postern_tunnel_io::{DialError, Proxy, tls::Trust};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time;
use url::Url;

/// Answers are small; more than this is not from our gateway.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
const DEADLINE: Duration = Duration::from_secs(20);

/// Why there is no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The gateway could not be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The exchange broke.
    #[error("the exchange with the gateway broke")]
    Http(#[source] hyper::Error),
    /// No answer in time.
    #[error("the gateway did not answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The answer is no JSON, too long, or of an unexpected shape.
    #[error("the answer is not one of a Postern gateway: {0}")]
    Answer(String),
    /// The gateway said no.
    #[error("{}", problem.detail.as_deref().or(problem.title.as_deref()).unwrap_or("the gateway refused"))]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said.
        problem: Problem,
    },
}

/// The part of an RFC 9457 problem that a connector shows.
#[derive(Debug, Default, Deserialize)]
pub struct Problem {
    /// The kind of problem.
    pub title: Option<String>,
    /// The machine-readable code.
    pub code: Option<String>,
    /// One sentence.
    pub detail: Option<String>,
    /// What to do.
    pub next: Option<String>,
}

/// Posts `body` and reads the answer.
pub(crate) async fn post_json<A: DeserializeOwned>(
    url: &Url,
    body: &impl Serialize,
    trust: &Trust,
    proxy: &Proxy,
) -> Result<A, CallError> {
    let body = serde_json::to_vec(body).map_err(|error| CallError::Answer(error.to_string()))?;
    let call = async {
        let stream = postern_tunnel_io::connect(url, trust, proxy).await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("postern-connector/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| CallError::Answer(error.to_string()))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Http)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(CallError::Http)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await;
            let body = body.map_err(|error| CallError::Answer(error.to_string()))?.to_bytes();
            Ok::<_, CallError>((status, body))
        };
        tokio::select! {
            exchanged = exchange => exchanged,
            Err(error) = connection => Err(CallError::Http(error)),
        }
    };
    let (status, body) = time::timeout(DEADLINE, call).await.map_err(|_| CallError::Deadline)??;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| CallError::Answer(error.to_string()));
    }
    let problem = serde_json::from_slice(&body).unwrap_or_default();
    Err(CallError::Refused { status, problem })
}
