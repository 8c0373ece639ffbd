//! A host in its one spelling: lower case, no trailing dot, the form that goes over the wire (H7).

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The longest host name (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A checked host with an optional port, as a `Host` header or an authority writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    name: Box<str>,
    port: Option<u16>,
}

/// The text is no host, or one that could be taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no host name")]
pub struct HostError;

impl Host {
    /// The name: lower case; an IPv6 address keeps its brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, if one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is an address, not a name.
    pub fn is_address(&self) -> bool {
        self.name.starts_with('[') || self.name.parse::<Ipv4Addr>().is_ok()
    }

    /// Whether both mean the same address of the same scheme.
    pub fn is_same(&self, other: &Self, default_port: u16) -> bool {
        self.name == other.name && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inner, after) = rest.split_once(']').ok_or(HostError)?;
                (
                    ipv6(inner)?,
                    after.strip_prefix(':').map_or((after.is_empty()).then_some(None), |p| Some(Some(p))),
                )
            }
            None => match text.split_once(':') {
                Some((name, port)) => (dns_name(name)?, Some(Some(port))),
                None => (dns_name(text)?, Some(None)),
            },
        };
        let port = port.ok_or(HostError)?.map(port_number).transpose()?;
        Ok(Self { name: name.into(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn port_number(text: &str) -> Result<u16, HostError> {
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse().map_err(|_| HostError) } else { Err(HostError) }
}

/// An address in brackets, in its shortest form; zones mean something to one machine only.
fn ipv6(text: &str) -> Result<String, HostError> {
    let address: Ipv6Addr = text.parse().map_err(|_| HostError)?;
    Ok(format!("[{address}]"))
}

fn dns_name(text: &str) -> Result<String, HostError> {
    let name = text.to_ascii_lowercase();
    let is_label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > NAME_MAX || !name.split('.').all(is_label) || looks_like_an_odd_address(&name) {
        return Err(HostError);
    }
    // An encoded label must be the encoding of something, and of nothing that has a plainer spelling (UTS 46).
    if name.split('.').any(|label| label.starts_with("xn--")) {
        let (decoded, result) = idna::domain_to_unicode(&name);
        let again = idna::domain_to_ascii_strict(&decoded).map_err(|_| HostError)?;
        if result.is_err() || again != name || decoded == name {
            return Err(HostError);
        }
    }
    Ok(name)
}

/// A name whose last label is a number is read as an IPv4 address by some, in decimal, octal or hexadecimal, and as a
/// name by others; only the usual form is good.
fn looks_like_an_odd_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal =
        last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_number = last.bytes().all(|b| b.is_ascii_digit()) || is_hexadecimal;
    is_number && name.parse::<Ipv4Addr>().is_err()
}
