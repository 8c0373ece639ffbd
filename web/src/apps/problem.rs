//! The same for programs (RFC 9457).

use super::{page::protect, said::Words, words::AppPage};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

/// For answers that are no pages.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The same for a program, as `application/problem+json`.
pub fn problem(page: AppPage<'_>) -> Response {
    let words = Words::of(page);
    let mut document = Map::new();
    let mut say = |name: &str, value: Value| document.insert(name.to_owned(), value);
    say("type", "about:blank".into());
    say("title", words.title.into());
    say("status", words.status.as_u16().into());
    say("code", words.code.into());
    say("detail", words.what.as_ref().into());
    say("next", words.next.as_ref().into());
    // Ids only: what an application is called is not for whoever may not open it.
    for (name, value) in &words.facts {
        if matches!(*name, "Decision" | "Request") {
            say(&name.to_ascii_lowercase(), value.as_ref().into());
        }
    }
    let mut response = (words.status, Value::Object(document).to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE));
    if words.status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    protect(&mut response, &words);
    response
}
