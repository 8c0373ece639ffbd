//! From a 101 answer to a link: the connection under HTTP is taken out as it is, so that nothing stands between the
//! tunnel and its TLS.

use crate::listen::{Lent, Strict};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use postern_tunnel_io::{Incoming, Link, LinkConfig, ReadAhead, accept, tls, tune_socket};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
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
    let upgraded = match taken_out::<TlsStream<ReadAhead<TcpStream>>>(upgraded) {
        Ok(taken) => {
            let (mut stream, early) = taken?;
            let (tcp, session) = stream.get_mut();
            tune_socket(tcp.get_ref()).ok()?;
            tls::tune(session);
            return Some(accept(stream, early, config));
        }
        Err(upgraded) => upgraded,
    };
    let (stream, early) = taken_out::<TcpStream>(upgraded).ok()??;
    tune_socket(&stream).ok()?;
    Some(accept(ReadAhead::new(stream), early, config))
}

/// The connection and what the peer already said on it; the upgrade itself if the connection is of another kind.
fn taken_out<S>(upgraded: Upgraded) -> Result<Option<(S, Bytes)>, Upgraded>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let parts = upgraded.downcast::<TokioIo<Strict<Lent<S>>>>()?;
    let (lent, held) = parts.io.into_inner().into_parts();
    let early = if held.is_empty() { parts.read_buf } else { [parts.read_buf, held.into()].concat().into() };
    Ok(lent.into_inner().map(|stream| (stream, early)))
}
