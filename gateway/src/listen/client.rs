//! Whose connection this is: the peer, or whom a trusted proxy says it speaks for.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The fixed part of a PROXY protocol version 2 header.
const PROXY_FIXED: usize = 16;
/// The variable part: addresses (36 B) and a few TLVs. HAProxy and the cloud balancers send below 200 B.
const PROXY_VARIABLE_MAX: usize = 520;

/// Why the PROXY header was not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    /// The connection ended or broke.
    #[error("the PROXY header did not arrive")]
    Read(#[source] std::io::Error),
    /// It is not a version 2 header, or it is longer than [`PROXY_VARIABLE_MAX`].
    #[error("this is no PROXY protocol version 2 header")]
    Malformed,
}

/// Whether `peer` is one of the trusted proxies.
pub fn is_trusted(peer: IpAddr, proxies: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    proxies.iter().any(|network| network.contains(&peer))
}

/// Reads exactly the PROXY header and gives the client's address; `peer` for a health check of the proxy itself (LOCAL).
pub(super) async fn read_proxy_header(
    io: &mut (impl AsyncRead + Unpin),
    peer: SocketAddr,
) -> Result<IpAddr, ProxyHeaderError> {
    let mut header = vec![0; PROXY_FIXED];
    io.read_exact(&mut header).await.map_err(ProxyHeaderError::Read)?;
    let length = match header.as_slice() {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(ProxyHeaderError::Malformed),
    };
    if length > PROXY_VARIABLE_MAX {
        return Err(ProxyHeaderError::Malformed);
    }
    header.resize(PROXY_FIXED + length, 0);
    let rest = header.get_mut(PROXY_FIXED..).ok_or(ProxyHeaderError::Malformed)?;
    io.read_exact(rest).await.map_err(ProxyHeaderError::Read)?;
    let parsed = ppp::v2::Header::try_from(header.as_slice()).map_err(|_| ProxyHeaderError::Malformed)?;
    match (parsed.command, parsed.addresses) {
        (ppp::v2::Command::Local, _) => Ok(peer.ip()),
        (ppp::v2::Command::Proxy, ppp::v2::Addresses::IPv4(v4)) => Ok(IpAddr::V4(v4.source_address)),
        (ppp::v2::Command::Proxy, ppp::v2::Addresses::IPv6(v6)) => Ok(IpAddr::V6(v6.source_address)),
        (ppp::v2::Command::Proxy, _) => Err(ProxyHeaderError::Malformed),
    }
}

/// The client's address behind proxies: the last entry of `X-Forwarded-For` that is not itself a trusted proxy. What
/// stands before it was written by someone who is not trusted. `None`: an entry that is no address.
pub fn forwarded_for(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> Option<IpAddr> {
    let mut client = peer;
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    for line in lines.into_iter().rev() {
        for entry in line.to_str().ok()?.rsplit(',') {
            if !is_trusted(client, proxies) {
                return Some(client.to_canonical());
            }
            let entry = entry.trim();
            client = entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|a| a.ip())).ok()?;
        }
    }
    Some(client.to_canonical())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines {
            map.append("x-forwarded-for", line.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_the_word_of_trusted_proxies_counts() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let client = |lines: &[&str]| forwarded_for(&headers(lines), peer, &proxies).map(|ip| ip.to_string());
        assert_eq!(client(&["192.0.2.7"]).as_deref(), Some("192.0.2.7"));
        assert_eq!(
            client(&["1.1.1.1, 192.0.2.7, 10.0.0.2"]).as_deref(),
            Some("192.0.2.7"),
            "a forged first entry"
        );
        assert_eq!(client(&["1.1.1.1", "192.0.2.7"]).as_deref(), Some("192.0.2.7"), "two lines are one list");
        assert_eq!(client(&["garbage"]), None);
        assert_eq!(client(&[]).as_deref(), Some("10.0.0.1"));
    }

    #[tokio::test]
    async fn a_proxy_header_gives_the_client_and_leaves_the_next_byte_alone() {
        use ppp::v2::{Builder, Command, Protocol, Version};
        let addresses = ("192.0.2.7:1000".parse::<SocketAddr>().unwrap(), "10.0.0.1:443".parse().unwrap());
        let mut bytes = Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, addresses)
            .build()
            .unwrap();
        bytes.push(0x16);
        let mut io = bytes.as_slice();
        let peer = "10.0.0.1:5".parse().unwrap();
        assert_eq!(read_proxy_header(&mut io, peer).await.unwrap().to_string(), "192.0.2.7");
        assert_eq!(io, [0x16]);
    }

    #[tokio::test]
    async fn anything_but_a_proxy_header_is_refused() {
        let peer = "10.0.0.1:5".parse().unwrap();
        for bad in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
            b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
            b"\x16\x03\x01",
        ] {
            let mut io = bad;
            assert!(read_proxy_header(&mut io, peer).await.is_err());
        }
    }
}
