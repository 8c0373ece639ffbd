//! The public port: who may connect, TLS, deadlines. It knows nothing of what is asked for.

mod client;
mod connection;
mod cut_short;
mod http1;
mod http2;
mod lent;
mod limits;
#[cfg(test)]
mod tests;

pub use client::{forwarded_for, is_trusted};
pub use connection::{Client, Deadlines};
pub use cut_short::{Breaks, CutShort};
pub use http1::{AsksBack, Strict};
pub use lent::Lent;
pub use limits::{ConnectionLimits, ConnectionTicket, Refused};

use crate::{config::Mode, lifecycle::Lifecycle};
use arc_swap::ArcSwap;
use connection::Front;
use http::{Request, Response};
use hyper::body::Incoming;
use postern_tunnel_io::tune_listener;
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel keeps for us between two turns of the accept loop; a burst of reconnecting clients fits.
const BACKLOG: u32 = 4_096;
/// After an error such as "too many open files": long enough for a file to be closed, short enough to go unnoticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers requests. It is cloned for each connection.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Answers one request of `client`.
    fn handle(
        &self,
        request: Request<Incoming>,
        client: Client,
    ) -> impl Future<Output = Response<axum::body::Body>> + Send;

    /// Answers a request that cannot be read in one way.
    fn refuse(&self, refused: postern_canonical::Refused) -> Response<axum::body::Body>;
}

/// The bound public listener.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    /// The address it is bound to.
    pub local: SocketAddr,
}

impl Listener {
    /// Binds; connections queue up in the kernel until [`Listener::run`].
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let tcp = socket.listen(BACKLOG)?;
        tune_listener(&tcp);
        let local = tcp.local_addr()?;
        Ok(Self { tcp, local })
    }

    /// Accepts until the node is asked to stop. It awaits no peer: each connection is a task of its own.
    pub async fn run<H: Handler>(self, door: Door, handler: H, lifecycle: Lifecycle) {
        let front = Arc::new(Front { door, handler, lifecycle: lifecycle.clone() });
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => on_accepted(accepted, &front).await,
                () = lifecycle.stopping() => return,
            }
        }
    }
}

/// What a connection has to pass.
#[derive(Debug, Clone)]
pub struct Door {
    /// What arrives, and whose word is believed; the proxies may change while the node runs.
    pub mode: Arc<ArcSwap<Mode>>,
    /// The certificate and protocol versions; not used in mode `http_behind_proxy`.
    pub tls: Arc<rustls::ServerConfig>,
    /// How long a peer may take for each step.
    pub deadlines: Deadlines,
    /// How many connections a peer may have.
    pub limits: Arc<ConnectionLimits>,
}

async fn on_accepted<H: Handler>(accepted: io::Result<(TcpStream, SocketAddr)>, front: &Arc<Front<H>>) {
    match accepted {
        Ok((tcp, peer)) => front.admit_connection(tcp, peer),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Takes a ticket for `client`, or counts the refusal.
fn ticket(limits: &Arc<ConnectionLimits>, client: IpAddr) -> Option<ConnectionTicket> {
    match limits.enter(client, Instant::now()) {
        Ok(ticket) => Some(ticket),
        Err(refused) => {
            metrics::counter!("postern_connections_refused_total", "reason" => refused.label()).increment(1);
            tracing::debug!(client.address = %client, reason = refused.label(), "a connection was refused");
            None
        }
    }
}
