//! From a URL to a link: resolve, connect, TLS, upgrade.

mod answer;
mod connect;
mod proxy;
mod upgrade;

pub use proxy::Proxy;

use crate::{Incoming, Link, LinkConfig, ReadAhead, link, tls};
use http::{HeaderValue, StatusCode};
use postern_tunnel_proto::Side;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Url;

const TLS_MAX: Duration = Duration::from_secs(10);
/// Both rounds of a challenge, with a gateway that may be busy.
const UPGRADE_MAX: Duration = Duration::from_secs(15);

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
    /// Whom to trust. Kept from dial to dial, it makes a later one cheaper.
    pub tls: tls::Client,
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
        /// The proxy's host.
        proxy: String,
        /// Its answer; 0 when it was no HTTP.
        status: u16,
    },
    /// The proxy is not one that we can use.
    #[error("{proxy} cannot be used as a proxy: only http:// proxies are supported")]
    ProxyScheme {
        /// The proxy's host.
        proxy: String,
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
            | Self::ProxyScheme { .. }
            | Self::Trust(_)
            | Self::Tls { .. }
            | Self::Io(_)
            | Self::Timeout { .. }
            | Self::Malformed(_) => false,
        }
    }
}

/// A connection to a gateway, up to and including TLS.
#[derive(Debug)]
enum Connected {
    Plain(ReadAhead<TcpStream>),
    Tls(Box<TlsStream<ReadAhead<TcpStream>>>),
}

/// A byte stream to a gateway.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Dials once. Names are resolved anew each time; where one leads nowhere, its host is looked for where it was last. Every
/// step has a deadline.
pub async fn dial(dial: Dial<'_>) -> Result<(Link, Incoming), DialError> {
    let Dial { url, tls, proxy, credentials, config } = dial;
    match reach(&url, &tls, &proxy).await? {
        Connected::Plain(tcp) => start(tcp, &url, credentials, config).await,
        Connected::Tls(mut stream) => {
            tls::tune(stream.get_mut().1);
            start(*stream, &url, credentials, config).await
        }
    }
}

/// Connects to the host of `url` the way [`dial`] does, for plain HTTP/1.1 on the same way out and the same trust.
pub async fn connect(url: &Url, trust: &tls::Trust, proxy: &Proxy) -> Result<Box<dyn Stream>, DialError> {
    Ok(match reach(url, &trust.clone().into(), proxy).await? {
        Connected::Plain(tcp) => Box::new(tcp),
        Connected::Tls(stream) => stream,
    })
}

/// Connects to `host` on the way out that it has: through the proxy, unless it is excepted.
pub async fn connect_tcp(host: &str, port: u16, proxy: &Proxy) -> Result<TcpStream, DialError> {
    connect_from(host, port, proxy, None).await
}

async fn connect_from(
    host: &str,
    port: u16,
    proxy: &Proxy,
    last_good: Option<SocketAddr>,
) -> Result<TcpStream, DialError> {
    match proxy.for_host(host) {
        Some(proxy) => proxy::connect_through(proxy, host, port).await,
        None => connect::connect(host, port, last_good).await,
    }
}

async fn reach(url: &Url, tls: &tls::Client, proxy: &Proxy) -> Result<Connected, DialError> {
    let is_tls = match url.scheme() {
        "https" | "wss" => true,
        "http" | "ws" => false,
        _ => return Err(DialError::Url(url.clone())),
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(DialError::Url(url.clone()));
    };
    if !is_tls {
        return Ok(Connected::Plain(ReadAhead::new(connect_tcp(host, port, proxy).await?)));
    }
    // Made before connecting: a wrong CA file is told at once, without the network.
    let config = tls.config()?;
    let tcp = connect_from(host, port, proxy, tls.proven().last(host, port)).await?;
    let address = tcp.peer_addr();
    let stream = handshake(config, host, ReadAhead::new(tcp)).await?;
    if let (Ok(address), None) = (address, proxy.for_host(host)) {
        tls.proven().note(host, port, address);
    }
    Ok(Connected::Tls(Box::new(stream)))
}

async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    tcp: ReadAhead<TcpStream>,
) -> Result<TlsStream<ReadAhead<TcpStream>>, DialError> {
    let tls_error = |source| DialError::Tls { host: host.to_owned(), source };
    let name = ServerName::try_from(host.trim_start_matches('[').trim_end_matches(']').to_owned())
        .map_err(|e| tls_error(io::Error::other(e)))?;
    within(TLS_MAX, "the TLS handshake", TlsConnector::from(config).connect(name, tcp))
        .await?
        .map_err(tls_error)
}

async fn start<S>(
    mut stream: S,
    url: &Url,
    credentials: &mut dyn Credentials,
    config: LinkConfig,
) -> Result<(Link, Incoming), DialError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let read_ahead =
        within(UPGRADE_MAX, "the upgrade", upgrade::upgrade(&mut stream, url, credentials)).await??;
    Ok(link::start(stream, read_ahead, Side::Dialer, config))
}

async fn within<F: Future>(limit: Duration, step: &'static str, work: F) -> Result<F::Output, DialError> {
    tokio::time::timeout(limit, work).await.map_err(|_| DialError::Timeout { step, limit })
}
