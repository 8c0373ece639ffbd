//! Addresses that a wide entry of the allow-list never admits: they lead to the connector's own machine, to the cloud's
//! metadata service, or say something else than they seem to.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A special address range and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special {
    name: &'static str,
    range: IpNet,
}

impl Special {
    /// Whether an entry for `net` means this range: the entry has to lie inside it, so that `0.0.0.0/0:*` never
    /// reaches the loopback interface by accident.
    pub fn is_named_by(self, net: &IpNet) -> bool {
        self.range.contains(net)
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn v4(name: &'static str, a: [u8; 4], prefix: u8) -> Special {
    let [o0, o1, o2, o3] = a;
    let addr = Ipv4Addr::new(o0, o1, o2, o3);
    Special { name, range: IpNet::V4(Ipv4Net::new_assert(addr, prefix)) }
}

const fn v6(name: &'static str, s: [u16; 8], prefix: u8) -> Special {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = s;
    let addr = Ipv6Addr::new(s0, s1, s2, s3, s4, s5, s6, s7);
    Special { name, range: IpNet::V6(Ipv6Net::new_assert(addr, prefix)) }
}

/// Narrow ranges first: the first match decides.
const RANGES: [Special; 25] = [
    v4("the cloud metadata service", [169, 254, 169, 254], 32),
    v4("the container credentials service", [169, 254, 170, 2], 32),
    v4("the container credentials service", [169, 254, 170, 23], 32),
    v4("the cloud metadata service", [100, 100, 100, 200], 32),
    v4("the cloud metadata service", [168, 63, 129, 16], 32),
    v4("the cloud metadata service", [192, 0, 0, 192], 32),
    v6("the cloud metadata service", [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    v6("the container credentials service", [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23], 128),
    v6("the cloud metadata service", [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    v4("a loopback address", [127, 0, 0, 0], 8),
    v6("a loopback address", [0, 0, 0, 0, 0, 0, 0, 1], 128),
    v4("an unspecified address", [0, 0, 0, 0], 8),
    v6("an unspecified address", [0, 0, 0, 0, 0, 0, 0, 0], 128),
    v4("a link-local address", [169, 254, 0, 0], 16),
    v6("a link-local address", [0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    v4("a shared (carrier-grade NAT) address", [100, 64, 0, 0], 10),
    v4("a protocol-assignment address", [192, 0, 0, 0], 24),
    v4("a multicast address", [224, 0, 0, 0], 4),
    v6("a multicast address", [0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
    v4("a reserved or broadcast address", [240, 0, 0, 0], 4),
    v6("an IPv4 address in IPv6 clothes", [0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    v6("an IPv4 address in IPv6 clothes", [0, 0, 0, 0, 0, 0, 0, 0], 96),
    v6("an IPv4 address behind NAT64", [0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
    v6("an IPv4 address behind NAT64", [0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    v6("an IPv4 address in a 6to4 tunnel", [0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
];

/// The special range that `ip` lies in, if any.
pub fn special(ip: IpAddr) -> Option<Special> {
    RANGES.iter().copied().find(|special| special.range.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_private_and_public_addresses_are_not_special() {
        for plain in ["10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd00::1", "2001:4860:4860::8888"] {
            assert_eq!(special(plain.parse().expect("an address")), None, "{plain}");
        }
    }

    #[test]
    fn an_entry_names_a_range_only_from_inside() {
        let metadata = special(IpAddr::from([169, 254, 169, 254])).expect("special");
        let link_local: IpNet = "169.254.0.0/16".parse().expect("a network");
        assert!(!metadata.is_named_by(&link_local), "a link-local line is no line for the metadata service");
        assert!(metadata.is_named_by(&IpNet::from(IpAddr::from([169, 254, 169, 254]))));
    }
}
