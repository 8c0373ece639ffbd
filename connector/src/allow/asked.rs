//! What a grant asks the connector to dial. Names that some resolver could take for an address are refused.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A DNS name in lower case, without a final dot, that no resolver could take for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The checked name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
        };
        if name.len() > 253 || !name.split('.').all(label_ok) {
            return Err(TargetError::Name);
        }
        // `2130706433`, `0x7f.1` and `127.1` are addresses to inet_aton, and so to many resolvers.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit());
        let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if numeric || hex {
            return Err(TargetError::OddAddress);
        }
        Ok(Self(name))
    }
}

/// A target that is not a plain address or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a DNS name.
    #[error("the target is neither an address nor a DNS name")]
    Name,
    /// An address in a spelling that only some parsers read.
    #[error("the target is an address in an ambiguous spelling; write it as 192.0.2.1 or [2001:db8::1]")]
    OddAddress,
    /// Port 0.
    #[error("the target has no port")]
    Port,
}

/// What a grant asks the connector to dial, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Address or name.
    pub host: TargetHost,
    /// TCP port.
    pub port: u16,
}

/// The host of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetHost {
    /// A literal address.
    Ip(IpAddr),
    /// A name to resolve.
    Name(HostName),
}

impl Target {
    /// Reads the host and port of a grant.
    pub fn parse(host: &str, port: u16) -> Result<Self, TargetError> {
        if port == 0 {
            return Err(TargetError::Port);
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let host = match bare.parse::<IpAddr>() {
            Ok(ip) => TargetHost::Ip(ip),
            Err(_) => TargetHost::Name(host.parse()?),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            TargetHost::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            TargetHost::Name(name) => write!(f, "{}:{}", name.as_str(), self.port),
        }
    }
}
