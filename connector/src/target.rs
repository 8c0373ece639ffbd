//! From a granted target to a TCP connection: resolve once, check every address, dial exactly a checked one.

use crate::allow::{AllowList, NotAllowed, Target, TargetHost};
use postern_tunnel_io::{connect_address, tune_end};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time};

/// The whole way from name to connection has this long; a client waits for it.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(10);

/// Addresses of one name beyond this number are not tried, but still checked.
const ADDRESSES_TRIED_MAX: usize = 8;

/// Turns a name into addresses. The system's resolver in production; tests and simulation bring their own.
pub trait Resolver: Send + Sync + 'static {
    /// Every address of `name`, with `port`.
    fn resolve(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The system's resolver (`/etc/hosts`, `/etc/resolv.conf`, search domains), asked anew for each dial.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}

/// Why a target could not be connected.
#[derive(Debug, thiserror::Error)]
pub enum DialTargetError {
    /// The allow-list says no.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The name has no address, or the resolver failed.
    #[error("{target} does not resolve: {source}")]
    Resolve {
        /// The target as asked for.
        target: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address accepted a connection.
    #[error("{address} does not accept connections: {source}")]
    Connect {
        /// The last address tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Name resolution and connection together took too long.
    #[error("{target} did not answer within {} s", DIAL_DEADLINE.as_secs())]
    Deadline {
        /// The target as asked for.
        target: String,
    },
}

/// The addresses of `target`, each of them checked. One bad address among good ones refuses the whole answer: it is
/// what a rebinding name server sends.
pub async fn checked_addresses(
    target: &Target,
    allow: &AllowList,
    resolver: &impl Resolver,
) -> Result<Vec<SocketAddr>, DialTargetError> {
    allow.check_target(target)?;
    let addresses = match &target.host {
        TargetHost::Ip(ip) => vec![SocketAddr::new(*ip, target.port)],
        TargetHost::Name(name) => {
            let unresolved = |source| DialTargetError::Resolve { target: target.to_string(), source };
            let found = resolver.resolve(name.as_str(), target.port).await.map_err(unresolved)?;
            if found.is_empty() {
                return Err(unresolved(io::Error::new(io::ErrorKind::NotFound, "no address")));
            }
            found
        }
    };
    for address in &addresses {
        // A resolver that changes the port answers a question nobody asked.
        allow.check_address(target, SocketAddr::new(address.ip(), target.port))?;
    }
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address.ip(), target.port)).collect())
}

/// Connects to the first of the target's checked addresses that accepts.
pub async fn connect(
    target: &Target,
    allow: &AllowList,
    resolver: &impl Resolver,
) -> Result<TcpStream, DialTargetError> {
    let dial = async {
        let addresses = checked_addresses(target, allow, resolver).await?;
        connect_first(target, &addresses).await
    };
    match time::timeout(DIAL_DEADLINE, dial).await {
        Ok(result) => result,
        Err(_) => Err(DialTargetError::Deadline { target: target.to_string() }),
    }
}

async fn connect_first(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, DialTargetError> {
    let mut last = None;
    for &address in addresses.iter().take(ADDRESSES_TRIED_MAX) {
        match connect_address(address).await {
            Ok(tcp) => {
                let _ = tune_end(&tcp);
                return Ok(tcp);
            }
            Err(source) => last = Some(DialTargetError::Connect { address, source }),
        }
    }
    Err(last.unwrap_or_else(|| DialTargetError::Deadline { target: target.to_string() }))
}
