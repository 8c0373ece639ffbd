//! From a 101 answer to a link: the connection under HTTP is taken out as it is, so that nothing stands between the
//! tunnel and its TLS.

use crate::listen::Lent;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use postern_tunnel_io::{Incoming, Link, LinkConfig, accept, tls, tune_socket};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// How long hyper may take to hand over the connection after the answer was written.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);

/// The link on an upgraded connection; `None` if the peer went away.
pub(super) async fn link(upgrade: OnUpgrade, config: LinkConfig) -> Option<(Link, Incoming)> {
    match tokio::time::timeout(HAND_OVER_MAX, upgrade).await {
        Ok(Ok(upgraded)) => on_upgraded(upgraded, config),
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "an upgrade broke off");
            None
        }
        Err(_) => None,
    }
}

fn on_upgraded(upgraded: Upgraded, config: LinkConfig) -> Option<(Link, Incoming)> {
    let upgraded = match upgraded.downcast::<TokioIo<Lent<TlsStream<TcpStream>>>>() {
        Ok(parts) => {
            let mut stream = parts.io.into_inner().into_inner()?;
            let (tcp, session) = stream.get_mut();
            tune_socket(tcp).ok()?;
            tls::tune(session);
            return Some(accept(stream, parts.read_buf, config));
        }
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<Lent<TcpStream>>>().ok()?;
    let stream = parts.io.into_inner().into_inner()?;
    tune_socket(&stream).ok()?;
    Some(accept(stream, parts.read_buf, config))
}
