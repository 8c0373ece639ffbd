//! The server's half of the upgrade, and a link on an upgraded connection.

use crate::{Incoming, Link, LinkConfig, link};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use postern_tunnel_proto::Side;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The WebSocket subprotocol of the tunnel.
pub const SUBPROTOCOL: &str = "postern.tunnel.v1";

/// Why a request is no upgrade to the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeRefused {
    /// Not an upgrade to WebSocket at all.
    #[error("this address only serves WebSocket upgrades")]
    NotAnUpgrade,
    /// A WebSocket version other than 13.
    #[error("only WebSocket version 13 is served")]
    Version,
    /// The key is missing or is not 16 bytes of base64.
    #[error("the Sec-WebSocket-Key header is missing or malformed")]
    Key,
    /// The peer does not speak this version of the tunnel.
    #[error("the subprotocol {SUBPROTOCOL} is required")]
    Subprotocol,
}

impl UpgradeRefused {
    /// The status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotAnUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Subprotocol => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks the headers of an upgrade request and gives the headers of the 101 answer. Status, credentials and the
/// hand-over of the connection are the caller's.
pub fn upgrade_response(headers: &HeaderMap) -> Result<HeaderMap, UpgradeRefused> {
    if !has_token(headers, &header::CONNECTION, "upgrade")
        || !has_token(headers, &header::UPGRADE, "websocket")
    {
        return Err(UpgradeRefused::NotAnUpgrade);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(UpgradeRefused::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(UpgradeRefused::Key)?;
    if !has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(UpgradeRefused::Subprotocol);
    }
    let accept = derive_accept_key(key.as_bytes());
    let mut answer = HeaderMap::with_capacity(4);
    answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    answer.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::try_from(accept).map_err(|_| UpgradeRefused::Key)?,
    );
    Ok(answer)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}

fn is_key(key: &HeaderValue) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16)
}

/// Runs a link, as the accepting side, on a connection that was answered with 101. `read_ahead` is what was already
/// read beyond the request. The driver is a task of the current runtime and ends with the link.
///
/// The connection is best given as it is (no boxed trait object): messages are written with vectored writes. Its socket
/// should have been given to [`tune_socket`](crate::tune_socket), its TLS to [`tls::tune`](crate::tls::tune).
pub fn accept<S>(stream: S, read_ahead: Bytes, config: LinkConfig) -> (Link, Incoming)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    link::start(stream, read_ahead, Side::Acceptor, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            (header::SEC_WEBSOCKET_PROTOCOL, "chat, postern.tunnel.v1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_answer_proves_that_the_key_was_read() {
        // The example of RFC 6455 section 1.3.
        let answer = upgrade_response(&request());
        assert_eq!(
            answer.ok().and_then(|mut headers| headers.remove(header::SEC_WEBSOCKET_ACCEPT)),
            Some(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        );
    }

    #[test]
    fn each_missing_part_of_an_upgrade_is_refused() {
        for (name, refused) in [
            (header::CONNECTION, UpgradeRefused::NotAnUpgrade),
            (header::UPGRADE, UpgradeRefused::NotAnUpgrade),
            (header::SEC_WEBSOCKET_VERSION, UpgradeRefused::Version),
            (header::SEC_WEBSOCKET_KEY, UpgradeRefused::Key),
            (header::SEC_WEBSOCKET_PROTOCOL, UpgradeRefused::Subprotocol),
        ] {
            let mut headers = request();
            headers.remove(&name);
            assert_eq!(upgrade_response(&headers), Err(refused), "{name}");
        }
        let mut headers = request();
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("c2hvcnQ="));
        assert_eq!(upgrade_response(&headers), Err(UpgradeRefused::Key));
    }
}
