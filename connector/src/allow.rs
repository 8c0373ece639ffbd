//! The connector's own veto: which targets it dials at all, whatever a gateway asks for.
//!
//! The list starts empty. An entry is `HOST:PORT`: the host a network (`10.0.0.0/8`, `[fd00::]/8`), an address
//! (`127.0.0.1`, `[::1]`) or a name (`db.internal`), the port a number or `*`.

use crate::address::{self, Special};
use ipnet::IpNet;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A line of the allow-list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// No `:` between host and port.
    #[error("expected HOST:PORT, for example 10.0.0.0/8:*, db.internal:5432 or [::1]:22")]
    NoPort,
    /// The port is neither a number from 1 to 65535 nor `*`.
    #[error("{0:?} is no port: give a number from 1 to 65535, or *")]
    Port(String),
    /// The host is neither a network, an address nor a name.
    #[error("{0:?} is neither a network, an address nor a name")]
    Host(String),
    /// An IPv6 host without brackets.
    #[error("put an IPv6 host in brackets: [{0}]")]
    Brackets(String),
    /// A network whose address has bits beyond its prefix.
    #[error("{given} has bits set beyond its prefix; did you mean {meant}?")]
    HostBits {
        /// As written.
        given: IpNet,
        /// The network itself.
        meant: IpNet,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Net(IpNet),
    Name(HostName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Any,
    One(u16),
}

impl Port {
    fn admits(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == port,
        }
    }
}

/// One line of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    host: Host,
    port: Port,
}

impl FromStr for Entry {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').ok_or(AllowError::NoPort)?;
        let port = match port {
            "*" => Port::Any,
            number => match number.parse::<u16>() {
                Ok(number) if number > 0 => Port::One(number),
                _ => return Err(AllowError::Port(number.into())),
            },
        };
        Ok(Self { host: parse_host(host)?, port })
    }
}

fn parse_host(text: &str) -> Result<Host, AllowError> {
    let bad = || AllowError::Host(text.into());
    // `[fd00::]/8` and `[fd00::/8]` are both in use; both mean the same.
    let bare = text.strip_prefix('[').map(|rest| rest.replacen(']', "", 1));
    if bare.is_none() && text.contains(':') {
        return Err(AllowError::Brackets(text.into()));
    }
    let literal = bare.as_deref().unwrap_or(text);
    if let Ok(net) = literal.parse::<IpNet>() {
        let meant = net.trunc();
        return if net == meant {
            Ok(Host::Net(net))
        } else {
            Err(AllowError::HostBits { given: net, meant })
        };
    }
    if let Ok(ip) = literal.parse::<IpAddr>() {
        return Ok(Host::Net(ip.into()));
    }
    if bare.is_some() {
        return Err(bad());
    }
    text.parse().map(Host::Name).map_err(|_| bad())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Net(net) if net.prefix_len() == net.max_prefix_len() => match net.addr() {
                IpAddr::V4(ip) => write!(f, "{ip}")?,
                IpAddr::V6(ip) => write!(f, "[{ip}]")?,
            },
            Host::Net(IpNet::V4(net)) => write!(f, "{net}")?,
            Host::Net(IpNet::V6(net)) => write!(f, "[{}]/{}", net.addr(), net.prefix_len())?,
            Host::Name(name) => f.write_str(name.as_str())?,
        }
        match self.port {
            Port::Any => f.write_str(":*"),
            Port::One(port) => write!(f, ":{port}"),
        }
    }
}

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

/// Why the allow-list refuses a target; the text names the line that would admit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// No entry covers the target.
    #[error("{target} is not on the connector's allow-list; to admit it add: {line}")]
    NotListed {
        /// The target as asked for.
        target: String,
        /// The missing line.
        line: String,
    },
    /// An address that wide entries never cover.
    #[error("{address} is {kind} and needs a line of its own on the connector's allow-list: {line}")]
    Special {
        /// The address found.
        address: SocketAddr,
        /// What makes it special.
        kind: Special,
        /// The missing line.
        line: String,
    },
}

/// The targets that this connector dials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

impl AllowList {
    /// The entries in the order given.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Adds what is not there yet.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if !self.0.contains(&entry) {
                self.0.push(entry);
            }
        }
    }

    /// Checks the target before anything is resolved: a name that neither an entry names nor any network could admit
    /// is refused without asking a name server.
    pub fn check_target(&self, target: &Target) -> Result<(), NotAllowed> {
        match &target.host {
            TargetHost::Ip(ip) => self.check_address(target, SocketAddr::new(*ip, target.port)),
            TargetHost::Name(name) => {
                let hopeful = |entry: &Entry| {
                    entry.port.admits(target.port)
                        && match &entry.host {
                            Host::Net(_) => true,
                            Host::Name(listed) => listed == name,
                        }
                };
                if self.0.iter().any(hopeful) { Ok(()) } else { Err(not_listed(target)) }
            }
        }
    }

    /// Checks one address that the target stands for; every address of a name has to pass.
    pub fn check_address(&self, target: &Target, address: SocketAddr) -> Result<(), NotAllowed> {
        let ip = address.ip();
        let special = address::special(ip);
        let admits = |entry: &Entry| {
            entry.port.admits(address.port())
                && match (&entry.host, &target.host, special) {
                    (Host::Net(net), _, None) => net.contains(&ip),
                    (Host::Net(net), _, Some(special)) => net.contains(&ip) && special.is_named_by(net),
                    (Host::Name(listed), TargetHost::Name(name), None) => listed == name,
                    (Host::Name(_), _, _) => false,
                }
        };
        if self.0.iter().any(admits) {
            return Ok(());
        }
        match special {
            Some(special) => Err(NotAllowed::Special { address, kind: special, line: address.to_string() }),
            None => Err(not_listed(target)),
        }
    }
}

impl FromIterator<Entry> for AllowList {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut list = Self::default();
        list.extend(entries);
        list
    }
}

fn not_listed(target: &Target) -> NotAllowed {
    NotAllowed::NotListed { target: target.to_string(), line: target.to_string() }
}
