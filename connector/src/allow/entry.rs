//! One line of the list, `HOST:PORT`: the host a network (`10.0.0.0/8`, `[fd00::]/8`), an address (`127.0.0.1`, `[::1]`) or a
//! name (`db.internal`), the port a number or `*`.

use super::asked::HostName;
use ipnet::IpNet;
use std::{fmt, net::IpAddr, str::FromStr};

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
pub(super) enum Host {
    Net(IpNet),
    Name(HostName),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Any,
    One(u16),
}

impl Port {
    pub(super) fn admits(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == port,
        }
    }
}

/// One line of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub(super) host: Host,
    pub(super) port: Port,
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
