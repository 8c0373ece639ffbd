//! `/.postern/`: the only path of an application's host that is ours. It never reaches the application (C10).

use super::{
    BrowserIngress,
    answer::say,
    hosts::App,
    request::Nature,
    who::{Asker, Unknown},
};
use crate::policies::wall_clock;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use postern_canonical::{CanonicalRequest, read_cookie};
use postern_identity::oidc::is_acr;
use postern_ids::Timestamp;
use postern_policy::model::Compatible;
use postern_store::Actor;
use postern_token::opaque::{Opaque, OpaqueKind};
use postern_web::{
    apps::{AppPage, TokenRefused},
    hand_over::{
        APP_COOKIE, AppCookie, Asked, HandOverInvalid, PRE_COOKIE, StepUp, clear_cookie, set_cookie,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use url::form_urlencoded;

/// Everything below is ours.
pub(super) const PREFIX: &str = "/.postern/";

const HAND_OVER: &str = "/.postern/hand-over";
const JOIN: &str = "/.postern/join";
const RETURN: &str = "/.postern/return";
/// A sign-in ends long before; then the cookie is worth nothing.
const COOKIE_LASTS: Duration = Duration::from_secs(24 * 3600);
/// A person may take an hour to sign in.
const PRE_COOKIE_LASTS: Duration = Duration::from_secs(3600);
/// A change is in force here within a look at the store.
const IN_FORCE_MAX: Duration = Duration::from_secs(2);
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
    /// Answers a request for one of our own paths.
    pub(super) async fn own(
        &self,
        request: Request<Incoming>,
        (canonical, app): (&CanonicalRequest, &App),
        nature: &Nature,
    ) -> Response<Body> {
        let now = wall_clock();
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::GET, HAND_OVER) => self.arrive(&request, app, nature, now),
            (&Method::GET, JOIN) => self.join(&request, app, now),
            (&Method::GET, RETURN) => self.go_back(&request, app, nature, now),
            (&Method::GET, "/.postern/sign-in") => {
                let next = parameter(&request, "next").unwrap_or_else(|| "/".to_owned());
                self.lead_to_sign_in(request.headers(), app, next, step_up(&request), now)
            }
            (&Method::GET, "/.postern/sign-out") => match self.person(request.headers(), app, now).await {
                Ok(asker) => {
                    say(AppPage::SignOut { user: asker.name(), resource: app.resource.name.as_str() }, nature)
                }
                Err(_) => self.signed_out(),
            },
            (&Method::POST, "/.postern/sign-out") => self.sign_out(&request, app, nature, now).await,
            (&Method::GET, "/.postern/whoami") => {
                match self.known(request.headers(), app, canonical, now).await {
                    Ok(asker) => whoami(&asker),
                    Err(Unknown::SignedOut) => {
                        json_of(StatusCode::UNAUTHORIZED, &json!({ "signed_in": false }))
                    }
                    Err(unknown) => not_known(unknown, (app, nature), request.headers()),
                }
            }
            (&Method::GET, "/.postern/jwks.json") => self.jwks(),
            _ => say(AppPage::NotFound, nature),
        }
    }

    /// Whether a request is for the keys, at the path that a verifier of another product asks.
    pub(super) fn is_jwks_alias(app: &App, path: &str) -> bool {
        let speaks =
            |product| app.resource.web.as_ref().is_some_and(|web| web.identity.compatible.contains(&product));
        match path {
            "/.well-known/pomerium/jwks.json" => speaks(Compatible::Pomerium),
            "/cdn-cgi/access/certs" => speaks(Compatible::CloudflareAccess),
            _ => false,
        }
    }

    /// The keys that assertions are signed with.
    pub(super) fn jwks(&self) -> Response<Body> {
        let keys: Vec<_> =
            self.keys.keys().assertion_public().map(postern_token::VerifyingKey::to_jwk).collect();
        let mut response = json_of(StatusCode::OK, &json!({ "keys": keys }));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        response
    }

    /// Leads a person to our own host and back to `next`. Tabs share what binds the way to this browser.
    pub(super) fn lead_to_sign_in(
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
    fn arrive(
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
    fn join(&self, request: &Request<Incoming>, app: &App, now: Timestamp) -> Response<Body> {
        let alone = App { also: Vec::new().into(), ..app.clone() };
        let sealed = parameter(request, "way").filter(|_| self.way_back(request, app, now).is_some());
        let next = sealed.map_or_else(|| "/".to_owned(), |sealed| format!("{RETURN}?way={sealed}"));
        self.lead_to_sign_in(request.headers(), &alone, next, None, now)
    }

    fn go_back(
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

    /// Signs the person out everywhere: the sign-in ends, and with it every session on every gateway.
    async fn sign_out(
        &self,
        request: &Request<Incoming>,
        app: &App,
        nature: &Nature,
        now: Timestamp,
    ) -> Response<Body> {
        if !is_own_page(request.headers(), app) {
            return say(AppPage::Foreign { label: "csrf" }, nature);
        }
        if let Ok(asker) = self.person(request.headers(), app, now).await
            && let (Some(sign_in), postern_policy::model::PrincipalId::User(id)) =
                (asker.sign_in(), asker.principal.id)
        {
            let actor = Actor::User { id, sign_in: Some(sign_in) };
            match self.store.end_sign_in(sign_in, "signed_out", &actor, now).await {
                // Whoever is told that they are signed out is.
                Ok(revision) => {
                    let _ = self.policies.newer_than(revision.saturating_sub(1), IN_FORCE_MAX).await;
                }
                Err(error) => {
                    tracing::warn!(error = %error, "a person could not be signed out");
                    return say(AppPage::Unavailable { request: &nature.id.to_string() }, nature);
                }
            }
        }
        self.signed_out()
    }

    /// On to our own host, which signs out there and at the provider.
    fn signed_out(&self) -> Response<Body> {
        let mut response = see_other(&format!("{}/signed-out", self.issuer));
        let headers = response.headers_mut();
        headers.append(header::SET_COOKIE, clear_cookie(APP_COOKIE));
        headers.append(header::SET_COOKIE, clear_cookie(PRE_COOKIE));
        response
    }
}

fn hand_over_invalid(app: &App, nature: &Nature, why: &dyn std::fmt::Display) -> Response<Body> {
    tracing::warn!(host = %app.authority, reason = "handoff_invalid", %why, "authn.rejected: a hand-over came to nothing");
    say(AppPage::HandOverInvalid { retry: "/" }, nature)
}

/// What is told to whoever is not known, apart from the way to sign in.
pub(super) fn not_known(
    unknown: Unknown,
    (app, nature): (&App, &Nature),
    headers: &HeaderMap,
) -> Response<Body> {
    match unknown {
        Unknown::SignedOut => challenge(say(AppPage::SignedOutMeanwhile, nature), app, headers),
        Unknown::Token(TokenRefused::NotGood) => {
            challenge(say(AppPage::Token(TokenRefused::NotGood), nature), app, headers)
        }
        Unknown::Token(refused) => say(AppPage::Token(refused), nature),
        Unknown::CookieAmbiguous => say(AppPage::CookieAmbiguous, nature),
        Unknown::Unavailable => say(AppPage::Unavailable { request: &nature.id.to_string() }, nature),
    }
}

/// Asks programs for a token. git and docker show their password only when they are asked for one; a browser, which says
/// what it is, would ask the person.
fn challenge(mut response: Response<Body>, app: &App, headers: &HeaderMap) -> Response<Body> {
    let takes_basic = app.resource.web.as_ref().is_some_and(|web| web.basic_tokens);
    let asked = if takes_basic && !headers.contains_key("sec-fetch-mode") {
        "Basic realm=\"postern\", charset=\"UTF-8\""
    } else {
        "Bearer"
    };
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(asked));
    response
}

fn pre_cookie(headers: &HeaderMap) -> Option<Opaque> {
    let text = read_cookie(headers, PRE_COOKIE).ok().flatten()?;
    Opaque::parse_as(OpaqueKind::Cookie, std::str::from_utf8(text).ok()?)
}

/// Browsers say who sends a form; no page can make them lie.
fn is_own_page(headers: &HeaderMap, app: &App) -> bool {
    match super::request::one(headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => super::request::one(headers, header::ORIGIN.as_str())
            .and_then(|origin| origin.strip_prefix("https://"))
            .is_some_and(|host| *host == *app.authority),
    }
}

/// A parameter of the query that is given once.
fn parameter(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query()?.as_bytes();
    let mut values = form_urlencoded::parse(query).filter(|(key, _)| key == name);
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.into_owned())
}

/// What a denial page asks for: `?max_age=`, `?mfa`, `?acr=`.
fn step_up(request: &Request<Incoming>) -> Option<StepUp> {
    let max_age = parameter(request, "max_age").and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let mfa = parameter(request, "mfa").is_some();
    let acr = parameter(request, "acr").filter(|acr| is_acr(acr));
    (max_age.is_some() || mfa || acr.is_some()).then_some(StepUp { max_age, acr, mfa })
}

fn whoami(asker: &Asker) -> Response<Body> {
    let expires_at = match &asker.credential {
        postern_policy::model::Credential::SignIn(facts) => Some(facts.expires_at.as_secs()),
        postern_policy::model::Credential::Token(facts) => facts.expires_at.map(Timestamp::as_secs),
        postern_policy::model::Credential::None => None,
    };
    let id = asker.principal.id.to_string();
    json_of(
        StatusCode::OK,
        &json!({ "signed_in": true, "id": id, "name": asker.name(), "expires_at": expires_at }),
    )
}

fn json_of(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn see_other(location: &str) -> Response<Body> {
    redirect(StatusCode::SEE_OTHER, location)
}

/// A redirect that nobody keeps.
pub(super) fn redirect(status: StatusCode, location: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(location) {
        Ok(location) => {
            *response.status_mut() = status;
            response.headers_mut().insert(header::LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
