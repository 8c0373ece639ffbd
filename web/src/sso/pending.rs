//! A sign-in that is under way, kept by the browser that began it: sealed, for ten minutes, and taken back once.

use crate::{
    WebState, cookies,
    pages::{Next, PageFailure},
};
use axum::http::{HeaderMap, HeaderValue};
use postern_identity::oidc::Pending;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The cookie's name. Two sign-ins at once in one browser: the later one counts.
const COOKIE: &str = "__Host-postern-oidc";
const PURPOSE: &str = "oidc_pending";
const LASTS: Duration = Duration::from_secs(600);

/// What waits for the provider's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) pending: Pending,
    next: String,
}

impl Waiting {
    pub(super) fn new(pending: Pending, next: &Next) -> Self {
        Self { pending, next: next.as_str().to_owned() }
    }

    /// Where the person wanted to go.
    pub(super) fn next(&self) -> Next {
        Next::parse(&self.next)
    }

    /// The `Set-Cookie` that keeps it.
    pub(super) fn set_cookie(&self, state: &WebState) -> Result<HeaderValue, PageFailure> {
        let json = serde_json::to_vec(self).map_err(|_| PageFailure::Internal)?;
        let sealed = state.store().seal_for(PURPOSE, state.issuer(), &json);
        Ok(cookies::set_text(COOKIE, &sealed, LASTS))
    }

    /// What this browser began, if it began anything.
    pub(super) fn of(state: &WebState, headers: &HeaderMap) -> Result<Option<Self>, PageFailure> {
        let found = cookies::read_text(headers, COOKIE).map_err(|_| PageFailure::CookieAmbiguous)?;
        let opened = found.and_then(|sealed| state.store().open_for(PURPOSE, state.issuer(), sealed));
        Ok(opened.and_then(|json| serde_json::from_slice(&json).ok()))
    }
}

/// The `Set-Cookie` that ends it.
pub(super) fn clear_cookie() -> HeaderValue {
    cookies::clear(COOKIE)
}
