//! Connections to applications: a lane, TLS inside it where the application wants that, HTTP on top.

use super::{up::Up, verifier::Verifiers};
use crate::{connectors::Lanes, lifecycle::Lifecycle, sessions::WebSession};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use postern_ids::Refusal;
use postern_policy::model::{Resource, UpstreamProtocol, UpstreamTls};
use postern_tunnel_io::{Cut, Lane};
use rustls_pki_types::ServerName;
use std::{fmt, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Head of an answer that is read; beyond it the application is at fault (H19).
const HEAD_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 200;
/// The longest that a TLS handshake with an application takes.
const TLS_MAX: Duration = Duration::from_secs(10);

/// One connection to an application.
pub(super) enum Connection {
    H1(http1::SendRequest<Up>),
    H2(http2::SendRequest<Up>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H1(_) => "H1",
            Self::H2(_) => "H2",
        })
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotConnected {
    /// The lane was refused.
    Lane(Box<crate::sessions::Refused>),
    /// TLS or HTTP could not be begun.
    Upstream(String),
    /// It took too long.
    Timeout,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    /// The connection was gone before the request was on its way: it may be sent again.
    Unsent(Box<Request<Up>>),
    /// The application broke the connection or the protocol.
    Broken(hyper::Error),
}

impl Connection {
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::H1(sender) => sender.is_ready(),
            Self::H2(sender) => sender.is_ready(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::H1(sender) => sender.is_closed(),
            Self::H2(sender) => sender.is_closed(),
        }
    }

    /// The same connection once more, if requests share it.
    pub(super) fn clone_shared(&self) -> Option<Self> {
        match self {
            Self::H1(_) => None,
            Self::H2(sender) => Some(Self::H2(sender.clone())),
        }
    }

    pub(super) fn is_h2(&self) -> bool {
        matches!(self, Self::H2(_))
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&mut self, request: Request<Up>) -> Result<Response<Incoming>, Unanswered> {
        let sent = match self {
            Self::H1(sender) => sender.try_send_request(request).await,
            Self::H2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|error: TrySendError<_>| {
            let mut error = error;
            match error.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request)),
                None => Unanswered::Broken(error.into_error()),
            }
        })
    }
}

/// What connecting needs.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) lanes: Lanes,
    pub(super) verifiers: Verifiers,
    pub(super) lifecycle: Lifecycle,
}

/// Opens a connection of `session` to its application.
pub(super) async fn connect(
    session: &WebSession,
    resource: &Resource,
    ways: &Ways,
) -> Result<Connection, NotConnected> {
    let lane = session.open_lane(&ways.lanes).await.map_err(|refused| {
        let is_late = refused.refusal == Refusal::Timeout;
        if is_late { NotConnected::Timeout } else { NotConnected::Lane(Box::new(refused)) }
    })?;
    let driven = (&ways.lifecycle, session.cut());
    let upstream = resource.web.as_ref().map(|web| web.upstream.clone()).unwrap_or_default();
    match &upstream.tls {
        None => handshake(lane, upstream.protocol, driven).await,
        Some(tls) => {
            let io =
                match timeout(TLS_MAX, begin_tls(lane, resource, tls, (upstream.protocol, &ways.verifiers)))
                    .await
                {
                    Ok(begun) => begun.map_err(NotConnected::Upstream)?,
                    Err(_) => return Err(NotConnected::Timeout),
                };
            handshake(io, upstream.protocol, driven).await
        }
    }
}

async fn begin_tls(
    lane: Lane,
    resource: &Resource,
    tls: &UpstreamTls,
    (protocol, verifiers): (UpstreamProtocol, &Verifiers),
) -> Result<tokio_rustls::client::TlsStream<Lane>, String> {
    if tls.insecure {
        tracing::warn!(resource = %resource.name, "upstream.unverified: the certificate is not checked (insecure): whoever stands between the connector and the application can read and change everything");
    }
    let config = verifiers.get(tls, protocol).map_err(|error| error.to_string())?;
    let name = tls.server_name.as_deref().unwrap_or(resource.target.host());
    let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("{name:?} is no server name"))?;
    let stream = TlsConnector::from(config).connect(name, lane).await.map_err(|error| error.to_string())?;
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if protocol == UpstreamProtocol::Http2 && !is_h2 {
        return Err("the application does not offer HTTP/2".to_owned());
    }
    Ok(stream)
}

async fn handshake(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocol: UpstreamProtocol,
    (lifecycle, cut): (&Lifecycle, &Cut),
) -> Result<Connection, NotConnected> {
    let failed = |error: hyper::Error| NotConnected::Upstream(error.to_string());
    match protocol {
        UpstreamProtocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
            let (sender, connection) = builder.handshake(TokioIo::new(io)).await.map_err(failed)?;
            lifecycle.spawn(drive(connection.with_upgrades(), cut.clone()));
            Ok(Connection::H1(sender))
        }
        UpstreamProtocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX))
                .adaptive_window(true);
            let (sender, connection) = builder.handshake(TokioIo::new(io)).await.map_err(failed)?;
            lifecycle.spawn(drive(connection, cut.clone()));
            Ok(Connection::H2(sender))
        }
    }
}

/// Drives a connection until it is over, or its session is: the application is let go then, whether or not the browser
/// takes what it was sent.
async fn drive(connection: impl Future<Output = Result<(), hyper::Error>>, cut: Cut) {
    tokio::select! {
        biased;
        _ = cut.wait() => {}
        ended = connection => if let Err(error) = ended {
            tracing::debug!(error = %error, "a connection to an application broke off");
        },
    }
}
