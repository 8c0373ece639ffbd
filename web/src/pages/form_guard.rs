//! Binds a form to the browser it was sent to: a hidden field that follows from a `__Host-` cookie, which no other site can
//! read or set.

use super::{Markup, PageFailure, text};
use crate::{body::Form, cookies, origin};
use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_identity::lifetimes;
use postern_token::opaque::{self, Opaque, OpaqueKind};
use subtle::ConstantTimeEq;

/// The name of the hidden field.
const FIELD: &str = "csrf";

/// The secret that one browser's forms are bound to.
pub(crate) struct FormGuard {
    cookie: Opaque,
}

impl FormGuard {
    /// The browser's guard, or a new one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, PageFailure> {
        let found = cookies::read(headers, cookies::FORM, OpaqueKind::Form)
            .map_err(|_| PageFailure::CookieAmbiguous)?;
        Ok(found.map_or_else(Self::fresh, |cookie| Self { cookie }))
    }

    /// A guard that no browser has had before.
    pub(crate) fn fresh() -> Self {
        Self { cookie: Opaque::from_entropy(OpaqueKind::Form, rand::random()) }
    }

    /// The value of the hidden field.
    pub(crate) fn field(&self) -> Markup {
        text(token(&self.cookie))
    }

    /// The cookie that goes with the page.
    pub(crate) fn set_cookie(&self) -> HeaderValue {
        cookies::set(cookies::FORM, &self.cookie, lifetimes::FORM)
    }

    /// Whether this form was filled in on a page that we sent to this browser.
    pub(crate) fn check(headers: &HeaderMap, form: &Form, issuer: &str) -> Result<(), PageFailure> {
        origin::check(headers, issuer).map_err(|origin::Foreign| PageFailure::Csrf)?;
        let cookie = cookies::read(headers, cookies::FORM, OpaqueKind::Form)
            .map_err(|_| PageFailure::CookieAmbiguous)?
            .ok_or(PageFailure::Csrf)?;
        let sent = form.get(FIELD).unwrap_or_default();
        let same = bool::from(token(&cookie).as_bytes().ct_eq(sent.as_bytes()));
        if same { Ok(()) } else { Err(PageFailure::Csrf) }
    }
}

fn token(cookie: &Opaque) -> String {
    // The page must not contain the cookie itself: a page can leak where a cookie cannot.
    URL_SAFE_NO_PAD.encode(opaque::hash(format!("postern form {}", cookie.reveal()).as_bytes()))
}
