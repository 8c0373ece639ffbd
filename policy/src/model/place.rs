//! What can be reached, where it is, and who carries the bytes there.

use postern_ids::{ConnectorId, LabelKey, LabelValue, Name, ResourceId, SiteId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr, sync::Arc};

/// One private network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Which site.
    pub id: SiteId,
    /// Its name, unique among sites.
    pub name: Name,
}

/// Whether a connector may still dial in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorState {
    /// It serves its site.
    Active,
    /// It was told to go and never comes back under this id.
    Revoked,
}

/// One agent of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Which connector.
    pub id: ConnectorId,
    /// The only site it serves (D11).
    pub site: SiteId,
    /// Its name, unique among connectors.
    pub name: Name,
    /// The Ed25519 key it proves on every dial.
    pub public_key: [u8; 32],
    /// Whether it may dial in.
    pub state: ConnectorState,
    /// Removed by itself some time after it went offline (containers).
    #[serde(default)]
    pub ephemeral: bool,
}

/// What is spoken at a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A web application.
    Http,
    /// An SSH server.
    Ssh,
    /// Any other TCP service.
    Tcp,
}

impl ResourceKind {
    /// The word used in rules, JSON and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Tcp => "tcp",
        }
    }
}

/// Whether an administrator vouched for a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyState {
    /// Seen at the first probe; nobody has looked at it.
    Learned,
    /// An administrator confirmed it.
    Confirmed,
}

/// A public host key of an SSH resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostKey {
    /// `type base64`, as in a known-hosts line.
    pub key: String,
    /// Whether anybody vouched for it.
    pub state: HostKeyState,
}

/// Something reachable at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Which resource.
    pub id: ResourceId,
    /// Its name, unique among resources.
    pub name: Name,
    /// The network it lies in.
    pub site: SiteId,
    /// What is spoken there.
    pub kind: ResourceKind,
    /// Where the connector dials to.
    pub target: Target,
    /// Free words that rules select by.
    #[serde(default)]
    pub labels: BTreeMap<LabelKey, LabelValue>,
    /// Known host keys, for `ssh`.
    #[serde(default)]
    pub host_keys: Vec<HostKey>,
    /// How it is published, for `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Arc<super::Web>>,
}

/// `host:port` inside a private network; the host is a name, an IPv4 address or an IPv6 address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    host: Arc<str>,
    port: u16,
}

/// Text that is not a [`Target`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not host:port: {why}")]
pub struct TargetError {
    text: String,
    why: &'static str,
}

impl Target {
    /// The longest host name that DNS can carry.
    pub const HOST_MAX: usize = 253;

    /// The host: a name or an address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        let port = match port.parse::<u16>() {
            Ok(port) if port != 0 && port.to_string() == text[host.len() + 1..] => port,
            _ => return Err("the port must be a number from 1 to 65535"),
        };
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => {
                inner.parse::<std::net::Ipv6Addr>().map_err(|_| "not an IPv6 address")?.to_string()
            }
            None => Self::parse_name(host)?,
        };
        Ok(Self { host: host.into(), port })
    }

    /// Refuses an address in a spelling that not everybody reads the same, and the address of nobody (T13). Which of the
    /// others may be dialed only the connector can know: its own list says so.
    fn is_plain(&self) -> Result<(), &'static str> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            let is_ipv4_in_disguise = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
            return match address {
                _ if address.is_unspecified() => Err("this is the address of no machine"),
                _ if is_ipv4_in_disguise => Err("write an IPv4 address as 192.0.2.1"),
                IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
            };
        }
        // `2130706433`, `0x7f.1` and `127.1` are addresses to inet_aton, and so to many resolvers.
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_number { Err("write an address as 192.0.2.1 or [2001:db8::1]") } else { Ok(()) }
    }

    fn parse_name(host: &str) -> Result<String, &'static str> {
        if host.is_empty() || host.len() > Self::HOST_MAX {
            return Err("the host must have 1 to 253 characters");
        }
        if !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            return Err("the host must be a name, an IPv4 address or a bracketed IPv6 address");
        }
        if host.starts_with(['-', '.']) || host.ends_with('-') {
            return Err("the host must start and end with a letter or a digit");
        }
        Ok(host.to_ascii_lowercase())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let parsed = Self::parse(text).and_then(|target| target.is_plain().map(|()| target));
        parsed.map_err(|why| TargetError { text: text.chars().take(80).collect(), why })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What was stored before a rule for new ones came stays readable: no connector dials it.
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_target_survives_its_text_form() {
        for text in ["10.0.0.5:22", "db.internal:5432", "[fd00::1]:443"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("DB.Internal:1".parse::<Target>().unwrap().host(), "db.internal");
    }

    #[test]
    fn a_resource_that_was_stored_before_it_could_be_published_still_reads_and_looks_the_same() {
        let (id, site) = (ResourceId::from_bytes([1; 16]), SiteId::from_bytes([2; 16]));
        let text = format!(
            r#"{{"id":"{id}","name":"wiki","site":"{site}","kind":"http","target":"h:80","labels":{{}},"host_keys":[]}}"#
        );
        let resource: Resource = serde_json::from_str(&text).unwrap();
        assert_eq!(resource.web, None);
        assert_eq!(serde_json::to_string(&resource).unwrap(), text);
    }

    #[test]
    fn t13_an_address_has_one_spelling_and_belongs_to_somebody() {
        for odd in [
            "2130706433:80",
            "0x7f000001:80",
            "0x7f.1:80",
            "127.1:80",
            "0177.0.0.1:80",
            "127.0.0.0x1:80",
            "1.2.3.4.5:80",
            "127.0.0.1.:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:7f00:1]:80",
            "0.0.0.0:80",
            "[::]:80",
            "[fe80::1%eth0]:80",
            "unix:/run/docker.sock",
            "/run/docker.sock:80",
        ] {
            assert!(odd.parse::<Target>().is_err(), "{odd}");
        }
        for plain in ["127.0.0.1:80", "[::1]:80", "localhost.:80", "db-7.internal:80", "0x7g:80", "v1.2x:80"]
        {
            assert!(plain.parse::<Target>().is_ok(), "{plain}");
        }
        // One that is stored already stands in nobody's way.
        assert!(serde_json::from_str::<Target>(r#""127.1:80""#).is_ok());
    }

    #[test]
    fn text_that_is_not_exactly_host_and_port_is_refused() {
        for bad in [
            "",
            "db",
            "db:",
            ":22",
            "db:0",
            "db:+22",
            "db:022",
            "db:65536",
            "a b:1",
            "fd00::1:22",
            "[db]:1",
            "-h:1",
            "u@h:1",
            "h/x:1",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?}");
        }
    }
}
