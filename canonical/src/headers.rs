//! Which headers pass, in both directions, and which are ours to write (D8).

mod names;

pub use names::{is_hop_by_hop, is_reserved};

use crate::{Host, Refused};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use names::{HOP_BY_HOP, is_connection_word, may_be_nominated};
use std::net::IpAddr;

/// What happens to header names with an underscore. Many servers read it as a hyphen, so that two names become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnderscoreHeaders {
    /// They pass, unless the name with hyphens is one of ours.
    #[default]
    Pass,
    /// They are dropped.
    Drop,
    /// The request is refused.
    Reject,
}

/// What a request is forwarded with.
#[derive(Debug, Clone)]
pub struct Forwarding<'a> {
    /// The client's address, as the gateway resolved it.
    pub client: IpAddr,
    /// The host that was asked.
    pub host: &'a Host,
    /// What the resource wants done with underscores.
    pub underscore: UnderscoreHeaders,
    /// The request asks for an upgrade, and may have it.
    pub upgrade: bool,
}

/// Makes the headers of a request fit for the application: hop-by-hop fields go, every variant of a header that is ours
/// goes, and the addresses are written anew. The same for plain requests and for upgrades.
pub fn prepare_request(headers: &mut HeaderMap, forwarding: &Forwarding<'_>) -> Result<(), Refused> {
    let upgrade = headers.get(header::UPGRADE).cloned().filter(|_| forwarding.upgrade);
    let wants_trailers =
        headers.get(header::TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    drop_nominated(headers)?;
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    disguised(headers, forwarding.underscore)?;
    strip(headers, is_reserved);
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    write_addresses(headers, forwarding)
}

/// Makes the headers of an answer fit for the browser. Gives the names of what was dropped and should be told to the
/// audit: an application that sets what is ours is broken or hostile (C10).
pub fn prepare_response(headers: &mut HeaderMap, upgrade: bool) -> Vec<&'static str> {
    let protocol = headers.get(header::UPGRADE).cloned().filter(|_| upgrade);
    // A nomination by the application only ever removes what it sent itself.
    let _ = drop_nominated(headers);
    for name in HOP_BY_HOP {
        headers.remove(*name);
    }
    let mut dropped = Vec::new();
    if strip(headers, |name| name.starts_with("x-postern-")) {
        dropped.push("x-postern");
    }
    // Another address for the same host would lead the browser around the gateway.
    if headers.remove("alt-svc").is_some() {
        dropped.push("alt-svc");
    }
    let clears_cookies = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or("*").to_ascii_lowercase();
        text.contains("cookies") || text.contains('*')
    };
    // It reaches beyond the application: browsers clear the cookies of the whole registrable domain.
    if headers.get_all("clear-site-data").iter().any(clears_cookies) {
        headers.remove("clear-site-data");
        dropped.push("clear-site-data");
    }
    if let Some(protocol) = protocol {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    dropped
}

/// `Connection` names fields that are for this hop only. Naming one that decides something is an attack on it (H12).
fn drop_nominated(headers: &mut HeaderMap) -> Result<(), Refused> {
    let mut nominated = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let text = value.to_str().map_err(|_| Refused::ReservedHeader)?;
        for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            if is_connection_word(option) {
                continue;
            }
            let name: HeaderName = option.parse().map_err(|_| Refused::ReservedHeader)?;
            if !may_be_nominated(name.as_str()) {
                return Err(Refused::ReservedHeader);
            }
            nominated.push(name);
        }
    }
    for name in nominated {
        headers.remove(name);
    }
    Ok(())
}

/// Names that an application may read as one of ours.
fn disguised(headers: &mut HeaderMap, mode: UnderscoreHeaders) -> Result<(), Refused> {
    let odd: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().contains('_')).cloned().collect();
    for name in odd {
        let is_ours = is_reserved(&name.as_str().replace('_', "-"));
        match mode {
            _ if is_ours => return Err(Refused::ReservedHeader),
            UnderscoreHeaders::Reject => return Err(Refused::ReservedHeader),
            UnderscoreHeaders::Drop => drop(headers.remove(name)),
            UnderscoreHeaders::Pass => {}
        }
    }
    Ok(())
}

/// Whether there was anything to strip.
fn strip(headers: &mut HeaderMap, is_stripped: impl Fn(&str) -> bool) -> bool {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| is_stripped(name.as_str())).cloned().collect();
    for name in &gone {
        headers.remove(name);
    }
    !gone.is_empty()
}

fn write_addresses(headers: &mut HeaderMap, forwarding: &Forwarding<'_>) -> Result<(), Refused> {
    let (client, host) = (forwarding.client.to_canonical(), forwarding.host.to_string());
    // RFC 7239 section 6: an IPv6 address in brackets and quotes.
    let node = match client {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let written = [
        ("x-forwarded-for", client.to_string()),
        ("x-real-ip", client.to_string()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-forwarded-host", host.clone()),
        ("forwarded", format!("for={node};host=\"{host}\";proto=https")),
    ];
    for (name, value) in written {
        let value = HeaderValue::try_from(value).map_err(|_| Refused::Host)?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}
