//! The pages for people.

use super::{
    said::{Way, Words},
    words::AppPage,
};
use crate::pages::{Markup, STYLE, fill, text};
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use postern_token::opaque;
use std::sync::LazyLock;

const LAYOUT: &str = include_str!("templates/app.html");
const FACTS: &str = include_str!("templates/facts.html");
const FACT: &str = include_str!("templates/fact.html");
const LINK: &str = include_str!("templates/link.html");
const NEW_TAB: &str = include_str!("templates/link_new_tab.html");
const SIGN_OUT: &str = include_str!("templates/sign_out.html");

/// Nothing is loaded, and the one style sheet is named by its hash.
fn policy(way: &Way<'_>) -> HeaderValue {
    static HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(opaque::hash(STYLE.as_bytes())));
    // A sign-out leads over our own host to the provider, and browsers hold the form to every step of the way: where it
    // leads is for the answer to say, which is ours.
    let form_action = if *way == Way::SignOut { "'self' https:" } else { "'none'" };
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
        *HASH
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The page for a person.
pub fn page(page: AppPage<'_>) -> Response {
    let words = Words::of(page);
    let markup = fill(
        LAYOUT,
        &[
            ("title", text(words.title)),
            ("css", Markup::of_ours(STYLE)),
            ("what", text(&words.what)),
            ("next", text(&words.next)),
            ("facts", facts(&words)),
            ("action", action(&words.way)),
        ],
    );
    let mut response = (words.status, markup.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy(&words.way));
    protect(&mut response, &words);
    response
}

/// What both forms tell a browser.
pub(super) fn protect(response: &mut Response, words: &Words<'_>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(seconds) = words.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn facts(words: &Words<'_>) -> Markup {
    if words.facts.is_empty() {
        return Markup::default();
    }
    let fact = |(name, value): &(&'static str, std::borrow::Cow<'_, str>)| {
        fill(FACT, &[("name", text(name)), ("value", text(value))])
    };
    let facts: Vec<Markup> = words.facts.iter().map(fact).collect();
    fill(FACTS, &[("facts", Markup::join(&facts))])
}

fn action(way: &Way<'_>) -> Markup {
    match *way {
        Way::Nowhere => Markup::default(),
        Way::Link { href, label } => fill(LINK, &[("href", text(href)), ("label", text(label))]),
        Way::NewTab { href, label } => fill(NEW_TAB, &[("href", text(href)), ("label", text(label))]),
        Way::SignOut => fill(SIGN_OUT, &[]),
    }
}
