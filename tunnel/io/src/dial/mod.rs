//! From a URL to a link: resolve, connect, TLS, upgrade.

mod proxy;

pub use proxy::Proxy;

use crate::{Incoming, Link, LinkConfig, tls};
use http::{HeaderValue, StatusCode};
use std::{io, time::Duration};
use url::Url;

/// What the gateway asks an unauthenticated dialer to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Opaque; goes into the signed answer.
    pub nonce: String,
    /// The gateway's clock in microseconds since the Unix epoch, if it told.
    pub gateway_time: Option<i64>,
}

/// Who gives the `Authorization` header of a dial.
pub trait Credentials: Send {
    /// The header for the first try (`None`), or for the answer to a challenge. `None` sends no header.
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue>;
}

/// One attempt to reach a gateway.
pub struct Dial<'a> {
    /// `https://host[:port]/tunnel/connector` or `…/tunnel/client`. Plain `http` is for tests on loopback.
    pub url: Url,
    /// Whom to trust.
    pub trust: tls::Trust,
    /// The way out.
    pub proxy: Proxy,
    /// Who we are.
    pub credentials: &'a mut dyn Credentials,
    /// The limits of the link.
    pub config: LinkConfig,
}

/// A refusal that the gateway gave before the upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// The problem's code, if the answer is a problem.
    pub code: Option<String>,
    /// The problem's sentence for a person.
    pub detail: Option<String>,
    /// The close code that stands for this refusal (44xx), if the problem tells one.
    pub close_code: Option<u16>,
    /// How long to wait before the next try.
    pub retry_after: Option<Duration>,
}

/// Why a dial did not give a link.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The URL is not one of a gateway.
    #[error("{0} is not a gateway URL: expected https://host[:port]/…")]
    Url(Url),
    /// The name does not resolve.
    #[error("the name {host} could not be resolved")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No address answered.
    #[error("could not connect to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why the last address failed.
        #[source]
        source: io::Error,
    },
    /// The proxy would not connect.
    #[error("the proxy {proxy} answered {status}")]
    Proxy {
        /// The proxy, without its credentials.
        proxy: String,
        /// Its answer.
        status: u16,
    },
    /// The TLS configuration is not usable.
    #[error(transparent)]
    Trust(#[from] tls::TlsError),
    /// The TLS handshake failed.
    #[error("TLS with {host} failed")]
    Tls {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke during the upgrade.
    #[error("the connection broke during the upgrade")]
    Io(#[source] io::Error),
    /// A step took too long.
    #[error("{step} took longer than {} s", limit.as_secs())]
    Timeout {
        /// The step.
        step: &'static str,
        /// Its limit.
        limit: Duration,
    },
    /// The answer is no answer to an upgrade.
    #[error("the answer to the upgrade is malformed: {0}")]
    Malformed(&'static str),
    /// The gateway refused.
    #[error("the gateway refused with {}{}", refused.status, refused.detail.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    Refused {
        /// Its answer.
        refused: Refused,
    },
}

impl DialError {
    /// Whether trying again is useless until a person changed something.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused { refused } => {
                refused.close_code.is_some_and(|code| matches!(code, 4403 | 4410 | 4411 | 4412))
                    || matches!(refused.code.as_deref(), Some("connector_revoked" | "connector_unknown"))
            }
            Self::Url(_) => true,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Trust(_)
            | Self::Tls { .. }
            | Self::Io(_)
            | Self::Timeout { .. }
            | Self::Malformed(_) => false,
        }
    }
}

/// Dials once. Names are resolved anew each time; every step has a deadline.
#[expect(clippy::todo, reason = "signatures ahead of the driver")]
pub async fn dial(_dial: Dial<'_>) -> Result<(Link, Incoming), DialError> {
    todo!()
}
