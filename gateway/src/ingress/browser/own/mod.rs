//! `/.postern/`: the only path of an application's host that is ours. It never reaches the application (C10).

mod hand_over;

use super::{
    BrowserIngress,
    answer::say,
    hosts::App,
    request::{Nature, one},
    who::{Asker, Unknown},
};
use crate::policies::wall_clock;
use axum::body::Body;
use hand_over::{HAND_OVER, JOIN, RETURN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use postern_canonical::CanonicalRequest;
use postern_identity::oidc::is_acr;
use postern_ids::Timestamp;
use postern_policy::model::{Compatible, Credential, PrincipalId};
use postern_store::Actor;
use postern_web::{
    apps::{AppPage, TokenRefused},
    hand_over::{APP_COOKIE, PRE_COOKIE, StepUp, clear_cookie},
};
use serde_json::json;
use std::time::Duration;
use url::form_urlencoded;

/// Everything below is ours.
pub(super) const PREFIX: &str = "/.postern/";
/// A change is in force here within a look at the store.
const IN_FORCE_MAX: Duration = Duration::from_secs(2);
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
            && let (Some(sign_in), PrincipalId::User(id)) = (asker.sign_in(), asker.principal.id)
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

/// Browsers say who sends a form; no page can make them lie.
fn is_own_page(headers: &HeaderMap, app: &App) -> bool {
    match one(headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => one(headers, header::ORIGIN.as_str())
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
        Credential::SignIn(facts) => Some(facts.expires_at.as_secs()),
        Credential::Token(facts) => facts.expires_at.map(Timestamp::as_secs),
        Credential::None => None,
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
