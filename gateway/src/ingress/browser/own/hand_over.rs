//! How a browser that is signed in at our own host gets the cookie of an application's host, and of those that the
//! application calls.

use super::{parameter, see_other};
use crate::ingress::browser::{BrowserIngress, answer::say, hosts::App, request::Nature};
use axum::body::Body;
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use postern_canonical::read_cookie;
use postern_ids::Timestamp;
use postern_token::opaque::{Opaque, OpaqueKind};
use postern_web::{
    apps::AppPage,
    hand_over::{APP_COOKIE, AppCookie, Asked, HandOverInvalid, PRE_COOKIE, StepUp, set_cookie},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub(super) const HAND_OVER: &str = "/.postern/hand-over";
pub(super) const JOIN: &str = "/.postern/join";
pub(super) const RETURN: &str = "/.postern/return";
/// A sign-in ends long before; then the cookie is worth nothing.
const COOKIE_LASTS: Duration = Duration::from_secs(24 * 3600);
/// A person may take an hour to sign in.
const PRE_COOKIE_LASTS: Duration = Duration::from_secs(3600);
/// Purpose of the sealed way back from a companion.
const WAY_BACK: &str = "hand_over_return";
/// A chain of redirects takes seconds.
const WAY_BACK_LASTS: Duration = Duration::from_secs(120);

/// Where a chain of hand-overs goes on: the hosts that are still to come, then the page that the person wanted.
#[derive(Debug, Serialize, Deserialize)]
struct WayBack {
    rest: Vec<String>,
    page: String,
    at: i64,
}

impl BrowserIngress {
    /// Leads a person to our own host and back to `next`. Tabs share what binds the way to this browser.
    pub(in crate::ingress::browser) fn lead_to_sign_in(
        &self,
        headers: &HeaderMap,
        app: &App,
        next: String,
        step_up: Option<StepUp>,
        now: Timestamp,
    ) -> Response<Body> {
        let kept = pre_cookie(headers);
        let pre = kept.unwrap_or_else(|| Opaque::from_entropy(OpaqueKind::Cookie, rand::random()));
        let also =
            app.also.iter().filter(|host| ***host != *app.authority).map(ToString::to_string).collect();
        let asked = Asked { host: app.authority.to_string(), next, binding: pre.hash(), also, step_up };
        let mut response = see_other(&self.hand_over.ask(&asked, now));
        let cookie = set_cookie(PRE_COOKIE, pre.reveal(), PRE_COOKIE_LASTS);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response
    }

    /// The end of a hand-over: the code becomes this host's cookie.
    pub(super) fn arrive(
        &self,
        request: &Request<Incoming>,
        app: &App,
        nature: &Nature,
        now: Timestamp,
    ) -> Response<Body> {
        let (Some(code), Some(pre)) = (parameter(request, "code"), pre_cookie(request.headers())) else {
            return hand_over_invalid(app, nature, &"no code, or not the browser that began");
        };
        let arrived = match self.hand_over.redeem(&app.authority, pre.hash(), &code, now) {
            Ok(arrived) => arrived,
            Err(error) => {
                // Of two tabs that begin at once, the later one's pre-cookie replaces the earlier one's: that one goes round
                // once more. A code from elsewhere leads only to a sign-in of this browser's own.
                let begun = self.hand_over.wanted(&app.authority, &code, now);
                return match begun.filter(|_| error == HandOverInvalid::OtherBrowser && nature.navigates) {
                    Some(next) => self.lead_to_sign_in(request.headers(), app, next, None, now),
                    None => hand_over_invalid(app, nature, &error),
                };
            }
        };
        let cookie = AppCookie { sign_in: arrived.sign_in, user: arrived.user, issued_at: now };
        let to = match arrived.also.split_first() {
            Some((first, rest)) => {
                let page = format!("https://{}{}", app.authority, arrived.next);
                self.join_url(first, rest.to_vec(), page, now)
            }
            None => arrived.next,
        };
        let mut response = see_other(&to);
        let cookie = self.hand_over.seal_cookie(&app.authority, &cookie);
        response.headers_mut().append(header::SET_COOKIE, set_cookie(APP_COOKIE, &cookie, COOKIE_LASTS));
        response
    }

    fn join_url(&self, host: &str, rest: Vec<String>, page: String, now: Timestamp) -> String {
        let way = serde_json::to_vec(&WayBack { rest, page, at: now.as_secs() }).unwrap_or_default();
        format!("https://{host}{JOIN}?way={}", self.store.seal_for(WAY_BACK, host, &way))
    }

    fn way_back(&self, request: &Request<Incoming>, app: &App, now: Timestamp) -> Option<WayBack> {
        let sealed = parameter(request, "way")?;
        let way: WayBack =
            serde_json::from_slice(&self.store.open_for(WAY_BACK, &app.authority, &sealed)?).ok()?;
        (now.since(Timestamp::from_secs(way.at)) <= WAY_BACK_LASTS).then_some(way)
    }

    /// A companion's turn in a chain: it is handed over to like any other host, and then leads on.
    pub(super) fn join(&self, request: &Request<Incoming>, app: &App, now: Timestamp) -> Response<Body> {
        let alone = App { also: Vec::new().into(), ..app.clone() };
        let sealed = parameter(request, "way").filter(|_| self.way_back(request, app, now).is_some());
        let next = sealed.map_or_else(|| "/".to_owned(), |sealed| format!("{RETURN}?way={sealed}"));
        self.lead_to_sign_in(request.headers(), &alone, next, None, now)
    }

    pub(super) fn go_back(
        &self,
        request: &Request<Incoming>,
        app: &App,
        nature: &Nature,
        now: Timestamp,
    ) -> Response<Body> {
        let Some(way) = self.way_back(request, app, now) else {
            return hand_over_invalid(app, nature, &"no way back that this gateway sealed a moment ago");
        };
        match way.rest.split_first() {
            Some((first, rest)) => see_other(&self.join_url(first, rest.to_vec(), way.page, now)),
            None => see_other(&way.page),
        }
    }
}

fn hand_over_invalid(app: &App, nature: &Nature, why: &dyn std::fmt::Display) -> Response<Body> {
    tracing::warn!(host = %app.authority, reason = "handoff_invalid", %why, "authn.rejected: a hand-over came to nothing");
    say(AppPage::HandOverInvalid { retry: "/" }, nature)
}

fn pre_cookie(headers: &HeaderMap) -> Option<Opaque> {
    let text = read_cookie(headers, PRE_COOKIE).ok().flatten()?;
    Opaque::parse_as(OpaqueKind::Cookie, std::str::from_utf8(text).ok()?)
}
