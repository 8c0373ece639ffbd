//! Whether a request that changes something was sent by one of our own pages, or by no page at all.

use axum::http::{HeaderMap, header};

/// The request was sent by somebody else's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign;

/// Checks what browsers say about the sender. Programs that are no browsers say nothing, and carry their own credentials.
///
/// Our pages send no referrer, and browsers then write `Origin: null` even for our own forms: so `Sec-Fetch-Site`, which no
/// page can forge, is asked first and decides alone.
pub(crate) fn check(headers: &HeaderMap, ours: &str) -> Result<(), Foreign> {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if let Some(site) = sites.next() {
        let from_us = matches!(site.as_bytes(), b"same-origin" | b"none") && sites.next().is_none();
        return if from_us { Ok(()) } else { Err(Foreign) };
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if origin.as_bytes() == ours.as_bytes() => Ok(()),
        (Some(_), _) => Err(Foreign),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const OURS: &str = "https://gw.example";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn c05_requests_of_foreign_pages_are_told_apart() {
        for foreign in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", OURS)],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://gw.example.evil")],
            &[("origin", "https://gw.example:444")],
            &[("origin", "http://gw.example")],
            &[("origin", OURS), ("origin", OURS)],
            &[("origin", "")],
        ] {
            assert_eq!(check(&headers(foreign), OURS), Err(Foreign), "{foreign:?}");
        }
        for own in [
            &[][..],
            &[("origin", OURS)],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(check(&headers(own), OURS), Ok(()), "{own:?}");
        }
    }
}
