//! One connection of the public port, from the first byte to HTTP.

use super::{ConnectionTicket, Door, Handler, Refused, client, ticket};
use crate::{config::Mode, lifecycle::Lifecycle};
use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use ipnet::IpNet;
use postern_canonical::Host;
use postern_tunnel_io::ReadAhead;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

/// How long a peer may take for each step (H16).
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the PROXY header of a trusted proxy.
    pub proxy_header: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// For the head of a request, and for an idle connection to send the next.
    pub headers: Duration,
    /// For taking the next piece of an answer (H15).
    pub stall: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { proxy_header: Duration::from_secs(5), tls: ten, headers: ten, stall: Duration::from_secs(60) }
    }
}

/// Who sent a request, and the ticket that an upgraded connection keeps for as long as it lives.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address, resolved through trusted proxies.
    pub address: IpAddr,
    /// The name that the TLS handshake was for, empty if it named none; `None` if a proxy in front ended the TLS.
    pub sni: Option<Arc<str>>,
    /// Given back when the last clone is dropped.
    pub ticket: Arc<ConnectionTicket>,
}

impl Client {
    fn new(address: IpAddr, ticket: ConnectionTicket) -> Self {
        Self { address: address.to_canonical(), sni: None, ticket: Arc::new(ticket) }
    }

    /// Whether a request for `host` does not belong on this connection, since the handshake was for another (H8). Nobody
    /// names an address in a handshake (RFC 6066 section 3).
    pub fn is_misdirected(&self, host: &Host) -> bool {
        match self.sni.as_deref() {
            None => false,
            Some("") => !host.is_address(),
            Some(name) => name != host.name(),
        }
    }
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
                let client = Client::new(peer.ip(), ticket);
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
            Ok(Ok(address)) => address,
            Ok(Err(error)) => return tracing::debug!(error = %error, "a proxied connection was refused"),
            Err(_) => return tracing::debug!("a proxied connection was refused: no PROXY header in time"),
        };
        let Some(ticket) = ticket(&self.door.limits, address) else { return };
        self.tls(tcp, Client::new(address, ticket)).await;
    }

    async fn tls(self: &Arc<Self>, tcp: TcpStream, mut client: Client) {
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        let handshake = TlsAcceptor::from(Arc::clone(&self.door.tls)).accept(ReadAhead::new(tcp));
        let tls = match timeout(self.door.deadlines.tls, handshake).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(error = %error, "a TLS handshake broke off"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        };
        let session = tls.get_ref().1;
        client.sni = Some(session.server_name().unwrap_or_default().into());
        let is_h2 = session.alpn_protocol() == Some(b"h2");
        let who = Who::Known(client);
        if is_h2 { Box::pin(self.http2(tls, who)).await } else { Box::pin(self.http1(tls, who)).await }
    }

    async fn plain(&self, tcp: TcpStream, peer: IpAddr, proxies: Vec<IpNet>) {
        if tcp.set_nodelay(true).is_ok() {
            Box::pin(self.http1(tcp, Who::Behind { peer, proxies })).await;
        }
    }

    pub(super) async fn answer(&self, request: Request<Incoming>, who: &Who) -> Response<Body> {
        match who.resolve(&self.door, &request) {
            Ok(client) => self.handler.handle(request, client).await,
            Err(unresolved) => unresolved.into_response(),
        }
    }

    /// The answer to a request that cannot be read.
    pub(super) fn refuse(&self, refused: postern_canonical::Refused) -> Response<Body> {
        metrics::counter!("postern_requests_refused_total", "reason" => refused.label()).increment(1);
        self.handler.refuse(refused)
    }
}

/// How the client of a request is found.
pub(super) enum Who {
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
            Ok(ticket) => Ok(Client::new(address, ticket)),
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

pub(super) fn report(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
    }
}
