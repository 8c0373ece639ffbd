//! Cookie compartments (D9): ours are read once, never reach an application, and cannot be set by one.

use crate::Host;
use http::{HeaderMap, HeaderValue, header};

/// Cookies with these names, in any case, are ours. Both prefixes bind a cookie to HTTPS; the first also to one host.
const OURS: &[&[u8]] = &[b"__host-postern", b"__secure-postern"];

/// A cookie of ours came more than once: one of them may have been planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cookie was given more than once")]
pub struct Ambiguous;

/// What becomes of a cookie that an application sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieVerdict {
    /// It passes.
    Keep,
    /// Its name is ours.
    Reserved,
    /// It is meant for another host, or for all hosts of a parent domain.
    ForeignDomain,
}

/// The value of the cookie with exactly this name.
pub fn read_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Ambiguous> {
    let mut found = None;
    for (key, value) in headers.get_all(header::COOKIE).iter().flat_map(pairs) {
        if key == name.as_bytes() && found.replace(value).is_some() {
            return Err(Ambiguous);
        }
    }
    Ok(found)
}

/// Takes our cookies out of a request, and joins what is left into one field, as HTTP/1 wants it (RFC 9113 section 8.2.3).
pub fn strip_cookies(headers: &mut HeaderMap) {
    let mut kept: Vec<u8> = Vec::new();
    for value in headers.get_all(header::COOKIE) {
        for pair in value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            if pair.is_empty() || is_ours(key_of(pair).0) {
                continue;
            }
            if !kept.is_empty() {
                kept.extend(b"; ");
            }
            kept.extend(pair);
        }
    }
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept)
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Judges one `Set-Cookie` of an application at `host`.
pub fn judge_set_cookie(value: &[u8], host: &Host) -> CookieVerdict {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next().unwrap_or_default();
    let (key, rest) = key_of(pair);
    // A cookie without a name comes back as its value alone, which may look like one of ours.
    if is_ours(key) || (key.is_empty() && is_ours(rest)) || is_ours(pair) {
        return CookieVerdict::Reserved;
    }
    // The last of several attributes counts (RFC 6265 section 5.3), so each of them has to be good.
    let is_foreign = |attribute: &[u8]| {
        let (key, domain) = key_of(attribute);
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        key.eq_ignore_ascii_case(b"domain")
            && !domain.is_empty()
            && !domain.eq_ignore_ascii_case(host.name().as_bytes())
    };
    if parts.any(is_foreign) { CookieVerdict::ForeignDomain } else { CookieVerdict::Keep }
}

fn pairs(value: &HeaderValue) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.as_bytes().split(|byte| *byte == b';').map(|pair| key_of(pair.trim_ascii()))
}

/// Name and value; what has no equals sign is a value without a name.
fn key_of(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (key, rest) = pair.split_at(at);
            (key.trim_ascii(), rest.get(1..).unwrap_or_default().trim_ascii())
        }
        None => (b"", pair),
    }
}

fn is_ours(name: &[u8]) -> bool {
    OURS.iter().any(|ours| name.get(..ours.len()).is_some_and(|front| front.eq_ignore_ascii_case(ours)))
}
