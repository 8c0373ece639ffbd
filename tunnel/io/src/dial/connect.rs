//! TCP to a host, trying its addresses the way RFC 8305 says.

use super::DialError;
use crate::{connect_address, tune_socket};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, task::JoinSet, time};

const RESOLVE_MAX: Duration = Duration::from_secs(5);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// RFC 8305 section 5: the head start of an address over the next one.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// More addresses than this say nothing new about a host.
const ADDRESSES_MAX: usize = 16;

/// Resolves and connects. What the name says now comes first; where that leads to nobody, `last_good` is tried.
pub(super) async fn connect(
    host: &str,
    port: u16,
    last_good: Option<SocketAddr>,
) -> Result<TcpStream, DialError> {
    let failed = match resolve_and_connect(host, port).await {
        Ok(tcp) => return Ok(tcp),
        Err(error) => error,
    };
    let Some(address) = last_good else { return Err(failed) };
    // What is told is what is wrong now, not that the old address did not help.
    connect_any(host, vec![address]).await.map_err(|_| failed)
}

async fn resolve_and_connect(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = time::timeout(RESOLVE_MAX, tokio::net::lookup_host((bare, port)))
        .await
        .map_err(|_| DialError::Timeout { step: "resolving the name", limit: RESOLVE_MAX })?
        .map_err(|source| DialError::Resolve { host: host.to_owned(), source })?;
    connect_any(host, interleave(found.take(ADDRESSES_MAX).collect())).await
}

async fn connect_any(host: &str, addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    time::timeout(CONNECT_MAX, race(addresses))
        .await
        .map_err(|_| DialError::Timeout { step: "connecting", limit: CONNECT_MAX })?
        .and_then(|tcp| tune_socket(&tcp).map(|()| tcp))
        .map_err(|source| DialError::Connect { host: host.to_owned(), source })
}

/// Alternates the families, beginning with the one that the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let (a, b) = (first.next(), second.next());
        if a.is_none() && b.is_none() {
            return mixed;
        }
        mixed.extend(a);
        mixed.extend(b);
    }
}

/// The first connection that stands; each attempt starts when the one before failed, or after its head start.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            running.spawn(connect_address(address));
        }
        let outcome = tokio::select! {
            outcome = running.join_next() => outcome,
            () = time::sleep(ATTEMPT_DELAY), if waiting.len() > 0 => continue,
        };
        match outcome {
            Some(Ok(Ok(tcp))) => return Ok(tcp),
            Some(Ok(Err(e))) => last = e,
            Some(Err(e)) => last = io::Error::other(e),
            None => return Err(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses = ["[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"]
            .map(|a| a.parse::<SocketAddr>());
        let addresses: Vec<_> = addresses.into_iter().flatten().collect();
        let mixed = interleave(addresses).iter().map(SocketAddr::is_ipv6).collect::<Vec<_>>();
        assert_eq!(mixed, [true, false, true, false, false]);
    }

    #[tokio::test]
    async fn a_dead_address_does_not_keep_from_the_living_one() -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let living = listener.local_addr()?;
        let dead = {
            let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            gone.local_addr()?
        };
        let tcp = race(vec![dead, living]).await?;
        assert_eq!(tcp.peer_addr()?, living);
        Ok(())
    }

    #[tokio::test]
    async fn f35_a_name_that_leads_to_nobody_is_looked_for_where_it_was_last() -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let living = listener.local_addr()?;
        let stale = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        for (host, port) in [("nowhere.invalid", 443), ("127.0.0.1", stale.port())] {
            assert!(connect(host, port, None).await.is_err());
            let tcp = connect(host, port, Some(living)).await.map_err(io::Error::other)?;
            assert_eq!(tcp.peer_addr()?, living, "{host}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn f35_the_last_address_does_not_outrank_what_the_name_says_now() -> io::Result<()> {
        let (new, old) = (
            tokio::net::TcpListener::bind("127.0.0.1:0").await?,
            tokio::net::TcpListener::bind("127.0.0.1:0").await?,
        );
        let port = new.local_addr()?.port();
        let tcp = connect("127.0.0.1", port, Some(old.local_addr()?)).await.map_err(io::Error::other)?;
        assert_eq!(tcp.peer_addr()?, new.local_addr()?);
        Ok(())
    }

    #[tokio::test]
    async fn a_host_that_refuses_everywhere_is_an_error() -> io::Result<()> {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        assert!(matches!(connect("127.0.0.1", gone.port(), None).await, Err(DialError::Connect { .. })));
        Ok(())
    }
}
