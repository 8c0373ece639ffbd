//! One connection of the public port, from the first byte to HTTP.

use super::{ConnectionTicket, Door, Handler, Lent, Refused, client, ticket};
use crate::{config::Mode, lifecycle::Lifecycle};
use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Head of a request as hyper may buffer it. The route refuses long targets with 414 and long heads with 431; this has to
/// hold what should get one of the two answers, and no more.
const HEAD_BUFFER_MAX: usize = 96 * 1024;
/// Header list of one HTTP/2 request; h2 itself answers 431 above it.
const H2_HEADER_LIST_MAX: u32 = 32 * 1024;
/// Requests at once on one HTTP/2 connection: a browser needs far fewer.
const H2_STREAMS_MAX: u32 = 100;
/// Silence after which an HTTP/2 peer is asked whether it lives, and how long it may take to answer.
const H2_PING: Duration = Duration::from_secs(20);

/// How long a peer may take for each step (H16).
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the PROXY header of a trusted proxy.
    pub proxy_header: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the head of a request, and for an idle connection to send the next.
    pub headers: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { proxy_header: Duration::from_secs(5), tls: ten, headers: ten }
    }
}

/// Who sent a request, and the ticket that an upgraded connection keeps for as long as it lives.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address, resolved through trusted proxies.
    pub address: IpAddr,
    /// Given back when the last clone is dropped.
    pub ticket: Arc<ConnectionTicket>,
}

pub(super) struct Front<H> {
    pub(super) door: Door,
    pub(super) handler: H,
    pub(super) lifecycle: Lifecycle,
}

impl<H: Handler> Front<H> {
    /// Starts the task of a connection, if the peer may have one.
    pub(super) fn admit_connection(self: &Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        let front = Arc::clone(self);
        match &**self.door.mode.load() {
            Mode::Tls => {
                let Some(ticket) = ticket(&self.door.limits, peer.ip()) else { return };
                let client = Client { address: peer.ip().to_canonical(), ticket: Arc::new(ticket) };
                self.lifecycle.spawn(async move { front.tls(tcp, client).await });
            }
            Mode::TlsProxyV2(proxies) if client::is_trusted(peer.ip(), proxies) => {
                self.lifecycle.spawn(async move { front.tls_behind_proxy(tcp, peer).await });
            }
            Mode::HttpBehindProxy(proxies) if client::is_trusted(peer.ip(), proxies) => {
                let proxies = proxies.clone();
                self.lifecycle.spawn(async move { front.plain(tcp, peer.ip(), proxies).await });
            }
            Mode::TlsProxyV2(_) | Mode::HttpBehindProxy(_) => {
                metrics::counter!("postern_connections_refused_total", "reason" => "untrusted_proxy")
                    .increment(1);
            }
        }
    }

    async fn tls_behind_proxy(self: &Arc<Self>, mut tcp: TcpStream, peer: SocketAddr) {
        let header = client::read_proxy_header(&mut tcp, peer);
        let address = match timeout(self.door.deadlines.proxy_header, header).await {
            Ok(Ok(address)) => address.to_canonical(),
            Ok(Err(error)) => return tracing::debug!(error = %error, "a proxied connection was refused"),
            Err(_) => return tracing::debug!("a proxied connection was refused: no PROXY header in time"),
        };
        let Some(ticket) = ticket(&self.door.limits, address) else { return };
        self.tls(tcp, Client { address, ticket: Arc::new(ticket) }).await;
    }

    async fn tls(self: &Arc<Self>, tcp: TcpStream, client: Client) {
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        let handshake = TlsAcceptor::from(Arc::clone(&self.door.tls)).accept(tcp);
        let tls = match timeout(self.door.deadlines.tls, handshake).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(error = %error, "a TLS handshake broke off"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        };
        let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        let who = Who::Known(client);
        if is_h2 { Box::pin(self.http2(tls, who)).await } else { Box::pin(self.http1(tls, who)).await }
    }

    async fn plain(&self, tcp: TcpStream, peer: IpAddr, proxies: Vec<IpNet>) {
        if tcp.set_nodelay(true).is_ok() {
            Box::pin(self.http1(tcp, Who::Behind { peer, proxies })).await;
        }
    }

    async fn http1(&self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, who: Who) {
        let (lent, home) = Lent::new(io);
        let ended = self.serve_http1(lent, &who).await;
        if ended.as_ref().is_err_and(hyper::Error::is_timeout) {
            home.tell_too_late().await;
        }
        report(ended);
    }

    async fn serve_http1(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        who: &Who,
    ) -> Result<(), hyper::Error> {
        let connection = conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.door.deadlines.headers)
            .max_buf_size(HEAD_BUFFER_MAX)
            .serve_connection(TokioIo::new(io), service_fn(|request| self.answer(request, who)))
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.lifecycle.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }

    async fn http2(self: &Arc<Self>, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, who: Who) {
        // hyper has no deadline for a peer that never begins: until the first request, ours holds.
        let begun = Arc::new(Notify::new());
        let (front, who, heard) = (Arc::clone(self), Arc::new(who), Arc::clone(&begun));
        let service = service_fn(move |request| {
            heard.notify_one();
            let (front, who) = (Arc::clone(&front), Arc::clone(&who));
            async move { front.answer(request, &who).await }
        });
        let connection = conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(H2_HEADER_LIST_MAX)
            .max_concurrent_streams(H2_STREAMS_MAX)
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return report(ended),
            begun = timeout(self.door.deadlines.headers, begun.notified()) => if begun.is_err() { return },
        }
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.lifecycle.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        report(ended);
    }

    async fn answer(&self, request: Request<Incoming>, who: &Who) -> Result<Response<Body>, Infallible> {
        let client = match who.resolve(&self.door, &request) {
            Ok(client) => client,
            Err(unresolved) => return Ok(unresolved.into_response()),
        };
        Ok(self.handler.handle(request, client).await)
    }
}

/// How the client of a request is found.
enum Who {
    /// The whole connection is one client's.
    Known(Client),
    /// Each request names its client; the peer is a trusted proxy.
    Behind { peer: IpAddr, proxies: Vec<IpNet> },
}

impl Who {
    fn resolve(&self, door: &Door, request: &Request<Incoming>) -> Result<Client, Unresolved> {
        let (peer, proxies) = match self {
            Self::Known(client) => return Ok(client.clone()),
            Self::Behind { peer, proxies } => (*peer, proxies),
        };
        let Some(address) = client::forwarded_for(request.headers(), peer, proxies) else {
            return Err(Unresolved::Malformed);
        };
        match door.limits.enter(address, Instant::now()) {
            Ok(ticket) => Ok(Client { address, ticket: Arc::new(ticket) }),
            Err(refused) => Err(Unresolved::Refused(refused)),
        }
    }
}

/// Why a request behind a proxy has no client that may send it.
enum Unresolved {
    Malformed,
    Refused(Refused),
}

impl Unresolved {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        match self {
            Self::Malformed => *response.status_mut() = StatusCode::BAD_REQUEST,
            Self::Refused(refused) => {
                metrics::counter!("postern_connections_refused_total", "reason" => refused.label())
                    .increment(1);
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                let seconds = HeaderValue::from(refused.retry_after_seconds());
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
        }
        response
    }
}

fn report(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
    }
}
