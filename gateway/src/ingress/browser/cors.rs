//! Pages of one origin that call an application on another: what the gateway itself answers has to say that they may read
//! it, or they only see that something failed.

use super::request::{Nature, one};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use postern_policy::model::Web;

/// How long a browser may keep the answer to a preflight.
const PREFLIGHT_KEPT_S: &str = "600";

/// Whether pages of this origin may call the application with the person's cookies: its own, and those that it lists.
pub(super) fn is_admitted(origin: &str, authority: &str, web: Option<&Web>) -> bool {
    let is_own = origin.strip_prefix("https://").is_some_and(|host| host == authority);
    is_own || web.is_some_and(|web| web.origins.iter().any(|listed| **listed == *origin))
}

/// Lets the page that asked read an answer of ours.
pub(super) fn admit<B>(response: &mut Response<B>, origin: &str) {
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// Whether this asks only whether another request may be sent. Browsers send no cookies with it, so nobody is behind it.
pub(super) fn is_preflight<B>(request: &Request<B>, nature: &Nature) -> bool {
    request.method() == Method::OPTIONS
        && nature.origin.is_some()
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight of an origin that is admitted: what it asks for it may send, and is then decided on.
pub(super) fn preflight(asked: &HeaderMap, origin: &str) -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    admit(&mut response, origin);
    let headers = response.headers_mut();
    for (question, answer) in [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ] {
        if let Some(value) = one(asked, question.as_str()).and_then(|value| HeaderValue::from_str(value).ok())
        {
            headers.insert(answer, value);
        }
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_KEPT_S));
    response
}
