//! The way from our own host to an application's host, and the cookie that a browser has there.
//!
//! A browser that comes to an application without a cookie is sent to our host with a sealed request, and comes back with
//! a sealed code: good for half a minute, once, at this host, in this browser. What stands in the address in between is
//! ours alone to read or make (O15); the cookie that follows is worth nothing at any other host (C2).

mod app_cookie;
mod asked;
mod code;
mod used;

pub use app_cookie::AppCookie;
pub use asked::{Asked, StepUp};
pub use code::{Arrived, HandOverInvalid};

use crate::cookies;
use axum::http::HeaderValue;
use code::Code;
use postern_ids::{SignInId, Timestamp, UserId};
use postern_store::Store;
use std::{fmt, sync::Arc, time::Duration};
use used::Used;

/// Binds the way to our host and back to one browser.
pub const PRE_COOKIE: &str = "__Host-postern-pre";

/// The path of the page that hands over, on our own host.
pub(crate) const PATH: &str = "/hand-over";

/// Stands for a sign-in at one application's host.
pub const APP_COOKIE: &str = "__Host-postern-app";

/// What an application's cookie is sealed for: a seal for anything else does not open as one.
const COOKIE: &str = "app_cookie";

/// What both ends of a hand-over share: the seal, and which codes were used on this node.
#[derive(Clone)]
pub struct HandOver {
    store: Store,
    issuer: Arc<str>,
    used: Arc<Used>,
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl HandOver {
    /// For the gateway whose own pages are at `issuer`. Its clones share the table of used codes.
    pub fn new(store: Store, issuer: &str) -> Self {
        Self { store, issuer: issuer.into(), used: Arc::default() }
    }

    /// The address on our own host that leads back to `asked.host` with a code.
    pub fn ask(&self, asked: &Asked, now: Timestamp) -> String {
        format!("{}{}", self.issuer, self.path(asked, now))
    }

    /// The same without the host.
    pub(crate) fn path(&self, asked: &Asked, now: Timestamp) -> String {
        format!("{PATH}?request={}", asked.seal(&self.store, &self.issuer, now))
    }

    /// What a sealed request asks for; nothing if it is not ours or too old.
    pub(crate) fn asked(&self, request: &str, now: Timestamp) -> Option<Asked> {
        Asked::open(&self.store, &self.issuer, request, now)
    }

    /// The address at the application's host that ends the hand-over for this sign-in.
    pub(crate) fn answer(&self, asked: &Asked, sign_in: SignInId, user: UserId, now: Timestamp) -> String {
        let code = Code::new(asked, sign_in, user, now).seal(&self.store, &asked.host);
        format!("https://{}/.postern/hand-over?code={code}", asked.host)
    }

    /// Redeems a code at `host` for the browser whose pre-cookie hashes to `binding`. A code is good for half a minute and
    /// once on each node.
    pub fn redeem(
        &self,
        host: &str,
        binding: [u8; 32],
        code: &str,
        now: Timestamp,
    ) -> Result<Arrived, HandOverInvalid> {
        let code = Code::open(&self.store, host, code).ok_or(HandOverInvalid::Foreign)?;
        code.check(&binding, now)?;
        self.used.first(code.id, now)?;
        Ok(code.arrived())
    }

    /// Where a code that was made for `host` a moment ago would lead, whoever asked for it.
    pub fn wanted(&self, host: &str, code: &str, now: Timestamp) -> Option<String> {
        let code = Code::open(&self.store, host, code)?;
        code.is_fresh(now).then(|| code.arrived().next)
    }

    /// The text of an application's cookie.
    pub fn seal_cookie(&self, host: &str, cookie: &AppCookie) -> String {
        self.store.seal_for(COOKIE, host, &cookie.to_bytes())
    }

    /// The cookie behind a text; nothing for a text that is not a cookie of this very host.
    pub fn open_cookie(&self, host: &str, text: &str) -> Option<AppCookie> {
        AppCookie::from_bytes(&self.store.open_for(COOKIE, host, text)?)
    }
}

/// The `Set-Cookie` that sets one of the cookies of an application's host. The value must be safe in a header.
pub fn set_cookie(name: &str, value: &str, lasts: Duration) -> HeaderValue {
    cookies::set_text(name, value, lasts)
}

/// The `Set-Cookie` that removes it.
pub fn clear_cookie(name: &str) -> HeaderValue {
    cookies::clear(name)
}
