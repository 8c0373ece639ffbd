//! Our cookies: `__Host-` ones only, so that no other host can set them, and each given once or not believed.

use axum::http::{HeaderMap, HeaderValue, header};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::time::Duration;

/// Stands for a browser's sign-in.
pub(crate) const SIGN_IN: &str = "__Host-postern";

/// Binds a form to the browser it was sent to.
pub(crate) const FORM: &str = "__Host-postern-form";

/// Two cookies of one name: one of them may have been planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// The cookie of this name and kind; nothing when there is none or it has not the shape of one of ours.
pub(crate) fn read(headers: &HeaderMap, name: &str, kind: OpaqueKind) -> Result<Option<Opaque>, Ambiguous> {
    Ok(read_text(headers, name)?.and_then(|value| Opaque::parse_as(kind, value)))
}

/// The cookie of this name, whatever its value.
pub(crate) fn read_text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Ambiguous> {
    let mut found = pairs(headers).filter(|(key, _)| *key == name);
    match (found.next(), found.next()) {
        (found, None) => Ok(found.map(|(_, value)| value)),
        (_, Some(_)) => Err(Ambiguous),
    }
}

/// All cookies as the browser sent them.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or_default().split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim(), value.trim()))
    })
}

/// The `Set-Cookie` value that sets a cookie.
pub(crate) fn set(name: &str, value: &Opaque, lasts: Duration) -> HeaderValue {
    attributes(name, value.reveal(), lasts.as_secs())
}

/// The `Set-Cookie` value that sets a cookie to a text that is safe in a header.
pub(crate) fn set_text(name: &str, value: &str, lasts: Duration) -> HeaderValue {
    attributes(name, value, lasts.as_secs())
}

/// The `Set-Cookie` value that removes a cookie: the same attributes, or browsers keep a `__Host-` one.
pub(crate) fn clear(name: &str) -> HeaderValue {
    attributes(name, "", 0)
}

fn attributes(name: &str, value: &str, max_age: u64) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax");
    let mut header = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn jar(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn c03_a_cookie_given_twice_is_not_believed() {
        let cookie = Opaque::from_entropy(OpaqueKind::Cookie, [1; 32]);
        let pair = format!("{SIGN_IN}={}", cookie.reveal());
        let found =
            |lines: &[&str]| read(&jar(lines), SIGN_IN, OpaqueKind::Cookie).map(|c| c.map(|c| c.hash()));
        assert_eq!(found(&[&format!("a=b; {pair}; c=d")]), Ok(Some(cookie.hash())));
        assert_eq!(found(&[&format!("{SIGN_IN}=; {pair}")]), Err(Ambiguous));
        assert_eq!(found(&[&pair, &pair]), Err(Ambiguous));
        assert_eq!(found(&[&format!("{SIGN_IN}x=1; x{pair}")]), Ok(None));
        assert_eq!(found(&[&format!("{SIGN_IN}=tampered")]), Ok(None));
    }

    #[test]
    fn a_cookie_is_host_only_secure_and_out_of_reach_of_scripts() {
        let set = set(SIGN_IN, &Opaque::from_entropy(OpaqueKind::Cookie, [1; 32]), Duration::from_secs(60));
        let clear = clear(SIGN_IN);
        for text in [set.to_str().unwrap(), clear.to_str().unwrap()] {
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(text.contains(attribute));
            }
            assert!(!text.contains("Domain"));
        }
    }
}
