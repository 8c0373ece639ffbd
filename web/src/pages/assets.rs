//! The style sheet and the icon. The style sheet's path carries its hash, so that caches never show an old one.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use postern_token::opaque;
use std::sync::LazyLock;

/// The style sheet.
pub(crate) const CSS: &str = include_str!("templates/postern.css");
const ICON: &str = include_str!("templates/icon.svg");

/// The path of the icon.
pub(crate) const ICON_PATH: &str = "/assets/icon.svg";

static CSS_PATH: LazyLock<String> = LazyLock::new(|| {
    let hash: String =
        opaque::hash(CSS.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/postern-{hash}.css")
});

/// The path of the style sheet.
pub(crate) fn css_path() -> &'static str {
    &CSS_PATH
}

pub(crate) async fn css() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, CSS).into_response()
}

pub(crate) async fn icon() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    (headers, ICON).into_response()
}
