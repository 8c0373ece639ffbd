//! Where an authorization code may go: the command's own listener on this computer (RFC 8252 section 7.3).

use postern_api::oauth::REDIRECT_PATH;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `http://127.0.0.1:PORT/callback` or `http://[::1]:PORT/callback`, spelled exactly so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loopback {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
}

impl Loopback {
    /// Reads a redirect URI. A name such as `localhost` is refused: what it means is decided elsewhere.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let v4 = uri.strip_prefix("http://127.0.0.1:").map(|rest| (IpAddr::V4(Ipv4Addr::LOCALHOST), rest));
        let v6 = || uri.strip_prefix("http://[::1]:").map(|rest| (IpAddr::V6(Ipv6Addr::LOCALHOST), rest));
        let (host, rest) = v4.or_else(v6)?;
        let port: u16 = rest.strip_suffix(REDIRECT_PATH)?.parse().ok()?;
        let loopback = Self { host, port };
        (port != 0 && loopback.uri() == uri).then_some(loopback)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        match self.host {
            IpAddr::V4(v4) => format!("http://{v4}:{}", self.port),
            IpAddr::V6(v6) => format!("http://[{v6}]:{}", self.port),
        }
    }

    /// The whole URI.
    pub(crate) fn uri(&self) -> String {
        format!("{}{REDIRECT_PATH}", self.origin())
    }

    /// The URI with these parameters.
    pub(crate) fn with(&self, parameters: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        format!("{}?{query}", self.uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o13_only_this_computer_is_a_place_for_codes() {
        for good in ["http://127.0.0.1:49152/callback", "http://[::1]:1/callback"] {
            assert_eq!(Loopback::parse(good).map(|l| l.uri()).as_deref(), Some(good));
        }
        for bad in [
            "https://127.0.0.1:49152/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:+80/callback",
            "http://127.0.0.1:080/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback?x=1",
            "http://127.0.0.1:80/callback#x",
            "http://127.0.0.1:80/other",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example:80/callback",
            "http://localhost:80/callback",
            "http://127.1:80/callback",
            "http://2130706433:80/callback",
            "http://[::ffff:127.0.0.1]:80/callback",
            "HTTP://127.0.0.1:80/callback",
            " http://127.0.0.1:80/callback",
            "",
        ] {
            assert_eq!(Loopback::parse(bad), None, "{bad}");
        }
    }
}
