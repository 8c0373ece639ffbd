//! What a request says about itself, read once.

use http::{HeaderMap, Method, Request, Version, header};
use std::fmt;

/// How the sender can be answered, and what it wants besides an answer.
#[derive(Debug, Clone)]
pub(super) struct Nature {
    /// A person looks at the answer: it may be a page, and a redirect leads them somewhere.
    pub(super) navigates: bool,
    /// A page can be shown, though not led elsewhere: a form was sent.
    pub(super) shows_pages: bool,
    /// The protocol that it wants to switch to.
    pub(super) upgrade: Option<Upgrade>,
    /// The page that sent it, where a browser says so.
    pub(super) origin: Option<String>,
    /// For logs and for people who ask for help.
    pub(super) id: RequestId,
}

/// What a request wants to switch to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    WebSocket,
    Other,
}

/// The id of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:016x}", self.0)
    }
}

impl Nature {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        let by_script =
            one(headers, "x-requested-with").is_some_and(|by| by.eq_ignore_ascii_case("xmlhttprequest"));
        let accepts_pages =
            one(headers, header::ACCEPT.as_str()).is_some_and(|accepted| accepted.contains("text/html"));
        // Browsers say it themselves, and no page can make them lie; old ones leave only a guess.
        let shows_pages = !by_script
            && match one(headers, "sec-fetch-mode") {
                Some(mode) => mode == "navigate",
                None => {
                    accepts_pages && one(headers, header::ORIGIN.as_str()).is_none_or(|_| is_form(headers))
                }
            };
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        Self {
            navigates: shows_pages && is_safe,
            shows_pages,
            upgrade: upgrade(request),
            origin: one(headers, header::ORIGIN.as_str()).map(ToOwned::to_owned),
            id: RequestId(rand::random()),
        }
    }
}

/// HTTP/2 has no such header, and HTTP/1.0 no such answer.
fn upgrade<B>(request: &Request<B>) -> Option<Upgrade> {
    let headers = request.headers();
    let named = one(headers, header::UPGRADE.as_str())?;
    let is_asked = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    let is_websocket = named.eq_ignore_ascii_case("websocket");
    let asked = if is_websocket { Upgrade::WebSocket } else { Upgrade::Other };
    // Switching to HTTP/2 in plain is for the connection that it is said on, which ends here.
    let is_http = named.to_ascii_lowercase().contains("h2c");
    (is_asked && !is_http && request.version() == Version::HTTP_11).then_some(asked)
}

fn is_form(headers: &HeaderMap) -> bool {
    one(headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| {
        kind.starts_with("application/x-www-form-urlencoded") || kind.starts_with("multipart/form-data")
    })
}

/// The one value of a header; two leave open which of them counts.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn nature(method: &str, headers: &[(&str, &str)]) -> Nature {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Nature::of(&request.body(()).unwrap())
    }

    #[test]
    fn o14_scripts_and_programs_are_never_led_elsewhere() {
        assert!(nature("GET", &[("sec-fetch-mode", "navigate")]).navigates);
        assert!(nature("GET", &[("accept", "text/html,*/*;q=0.8")]).navigates);
        for headers in [
            &[][..],
            &[("accept", "*/*")],
            &[("accept", "text/html"), ("sec-fetch-mode", "cors")],
            &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")],
            &[("accept", "text/html"), ("origin", "https://a.example")],
        ] {
            assert!(!nature("GET", headers).navigates, "{headers:?}");
        }
        let form = nature("POST", &[("sec-fetch-mode", "navigate")]);
        assert!(
            !form.navigates && form.shows_pages,
            "a form is answered with a page, not led away from its data"
        );
    }

    #[test]
    fn only_http_1_1_switches_protocols_and_never_to_http() {
        let asks = |protocol| [("connection", "keep-alive, Upgrade"), ("upgrade", protocol)];
        assert_eq!(nature("GET", &asks("websocket")).upgrade, Some(Upgrade::WebSocket));
        assert_eq!(nature("GET", &asks("spdy/3.1")).upgrade, Some(Upgrade::Other));
        assert_eq!(nature("GET", &asks("h2c")).upgrade, None);
        assert_eq!(nature("GET", &[("upgrade", "websocket")]).upgrade, None);
    }
}
