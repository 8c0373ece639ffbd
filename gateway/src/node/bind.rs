//! The addresses of a node.

use crate::{config::Config, exit::Failure, listen::Listener};
use std::{io, net::SocketAddr};
use tokio::net::TcpListener;
use url::Url;

/// Binds both listeners; nobody is answered yet.
pub(super) async fn bind(config: &Config) -> Result<(Listener, TcpListener), Failure> {
    let listener =
        Listener::bind(config.listen.address).map_err(|e| cannot_bind(config.listen.address, &e))?;
    let internal = TcpListener::bind(config.internal).await;
    Ok((listener, internal.map_err(|error| cannot_bind(config.internal, &error))?))
}

pub(super) fn cannot_bind(address: SocketAddr, error: &io::Error) -> Failure {
    let text = format!("cannot listen on {address}: {error}");
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Failure::NotPermitted(format!(
            "{text}\n  hint: ports below 1024 take root or CAP_NET_BIND_SERVICE; listen.address can name another one"
        ));
    }
    if error.kind() == io::ErrorKind::AddrInUse {
        return Failure::Temporary(format!(
            "{text}\n  hint: another program listens there; listen.address and internal.address say where this one does"
        ));
    }
    Failure::Unavailable(text)
}

/// Where commands and connectors dial: the configured list, or the public URL alone.
pub(super) fn gateways(configured: &[Url], public_url: &Url) -> Vec<Url> {
    if configured.is_empty() { vec![public_url.clone()] } else { configured.to_vec() }
}

/// The configured URL; a port 0 in it stands for the port that the listener got.
pub(super) fn public_url(configured: &Url, bound: SocketAddr) -> Url {
    let mut url = configured.clone();
    if url.port() == Some(0) {
        // An https URL with a host takes every port.
        let _ = url.set_port(Some(bound.port()));
    }
    url
}
