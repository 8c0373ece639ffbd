//! The client's half of the upgrade: request, challenge, answer.

use super::{
    Challenge, Credentials, DialError, Refused,
    answer::{Answer, AnswerError, read_answer},
};
use crate::SUBPROTOCOL;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use url::Url;

const NONCE: HeaderName = HeaderName::from_static("postern-nonce");
const TIME: HeaderName = HeaderName::from_static("postern-time");

/// Upgrades the connection; gives the bytes that were read beyond the answer.
pub(super) async fn upgrade<S>(
    stream: &mut S,
    url: &Url,
    credentials: &mut dyn Credentials,
) -> Result<Bytes, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut challenge = None;
    loop {
        let key = generate_key();
        let authorization = credentials.authorization(challenge.as_ref());
        let request = request(url, &key, authorization.as_ref());
        stream.write_all(&request).await.map_err(DialError::Io)?;
        stream.flush().await.map_err(DialError::Io)?;
        let answer = read_answer(stream).await?;
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            check(&answer.headers, &key)?;
            return Ok(answer.rest.freeze());
        }
        // One challenge is answered; a gateway that gives another one has refused the answer.
        let asked = if challenge.is_none() { challenge_of(&answer) } else { None };
        match asked {
            Some(asked) if answer.keeps_alive() => {
                answer.read_body(stream).await?;
                challenge = Some(asked);
            }
            Some(_) | None => return Err(DialError::Refused { refused: refusal(answer, stream).await }),
        }
    }
}

fn request(url: &Url, key: &str, authorization: Option<&HeaderValue>) -> Vec<u8> {
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n",
        path = &url[url::Position::BeforePath..url::Position::AfterQuery],
    )
    .into_bytes();
    if let Some(value) = authorization {
        request.extend_from_slice(b"Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

fn challenge_of(answer: &Answer) -> Option<Challenge> {
    if answer.status != StatusCode::UNAUTHORIZED {
        return None;
    }
    let nonce = answer.headers.get(NONCE)?.to_str().ok()?.to_owned();
    let gateway_time = answer.headers.get(TIME).and_then(|time| time.to_str().ok()?.parse().ok());
    Some(Challenge { nonce, gateway_time })
}

fn check(headers: &HeaderMap, key: &str) -> Result<(), DialError> {
    let is = |name: HeaderName, wanted: &str| {
        headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    if !is(header::UPGRADE, "websocket") || !is(header::CONNECTION, "upgrade") {
        return Err(DialError::Malformed("it does not upgrade to WebSocket"));
    }
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept != derive_accept_key(key.as_bytes()).as_str()) {
        return Err(DialError::Malformed("its Sec-WebSocket-Accept does not match the key"));
    }
    if headers.get(header::SEC_WEBSOCKET_PROTOCOL).is_none_or(|protocol| protocol != SUBPROTOCOL) {
        return Err(DialError::Malformed("it does not choose our subprotocol"));
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err(DialError::Malformed("it chooses an extension that was not offered"));
    }
    Ok(())
}

/// What we read of a problem document; other members are for people who look at the API.
#[derive(serde::Deserialize)]
struct Problem {
    code: Option<String>,
    detail: Option<String>,
    close_code: Option<u16>,
}

async fn refusal<S: AsyncRead + Unpin>(answer: Answer, stream: &mut S) -> Refused {
    let status = answer.status;
    let header = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = header(header::RETRY_AFTER).and_then(|secs| secs.parse().ok()).map(Duration::from_secs);
    let is_problem =
        header(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/problem+json"));
    // A refusal stays one without its explanation.
    let body = answer.read_body(stream).await.unwrap_or_default();
    let problem = if is_problem { serde_json::from_slice::<Problem>(&body).ok() } else { None };
    let (code, detail, close_code) = problem.map_or((None, None, None), |p| (p.code, p.detail, p.close_code));
    Refused { status, code, detail, close_code, retry_after }
}

impl From<AnswerError> for DialError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Io(source) => Self::Io(source),
            AnswerError::Malformed(what) => Self::Malformed(what),
        }
    }
}
