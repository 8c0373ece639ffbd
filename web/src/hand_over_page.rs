//! The page of our own host that hands a browser over to an application's host: nobody stays on it.

use crate::{
    WebState,
    body::Form,
    hand_over::{Asked, PATH, StepUp},
    pages::{Next, PageFailure, SignedIn, see_other},
    problem::Failure,
    sso::{Errand, begin},
};
use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use postern_identity::oidc;
use postern_ids::{Name, Timestamp};
use postern_store::{Object, Provider, User};
use std::time::Duration;

/// A sign-in that is this young is fresh, whatever is asked: the way here from the provider takes its time.
const FRESH: Duration = Duration::from_secs(60);

/// The routes of hand-overs.
pub(crate) fn routes() -> Router<WebState> {
    Router::new().route(PATH, get(show))
}

async fn show(State(state): State<WebState>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if !is_navigation(&headers) {
        // A program that followed a redirect here is told what it is, and its address goes no further (O14).
        return Failure::unauthenticated().into_response();
    }
    hand_over(&state, &headers, &query.unwrap_or_default()).await.unwrap_or_else(IntoResponse::into_response)
}

async fn hand_over(state: &WebState, headers: &HeaderMap, query: &str) -> Result<Response, PageFailure> {
    let now = state.now();
    let form = Form::parse(query.as_bytes());
    let request = form.as_ref().and_then(|form| form.get("request")).unwrap_or_default();
    let Some(asked) = state.hand_over().asked(request, now) else {
        tracing::warn!(
            reason = "handoff_invalid",
            "authn.rejected: a hand-over was not asked for by a gateway"
        );
        return Err(PageFailure::HandOver);
    };
    let here = Next::parse(&format!("{PATH}?request={request}"));
    let Some(signed_in) = SignedIn::of(state, headers, now).await? else {
        return sign_in(state, headers, here).await;
    };
    match asked.step_up.clone().filter(|step_up| !step_up.is_met(&signed_in, now)) {
        Some(step_up) => prove_again(state, headers, &signed_in, asked, &step_up, here).await,
        None => {
            let (sign_in, user) = (signed_in.sign_in.id, signed_in.user.id);
            tracing::info!(sign_in.id = %sign_in, user.id = %user, host = asked.host, "handed over to an application");
            Ok(see_other(&state.hand_over().answer(&asked, sign_in, user, now)))
        }
    }
}

/// To the only provider at once, where there is one; else people choose. Who cannot go to the provider, because it is away
/// or because they have an account of this gateway, finds the page with the choice at its own address.
async fn sign_in(state: &WebState, headers: &HeaderMap, here: Next) -> Result<Response, PageFailure> {
    let providers = state.store().all::<Provider>().await?;
    let [only] = providers.as_slice() else { return Ok(see_other(&here.sign_in_url())) };
    match begin(state, headers, only.value.name(), Errand::sign_in(here.clone())).await {
        Err(PageFailure::Provider(_)) => Ok(see_other(&here.sign_in_url())),
        begun => begun,
    }
}

/// Back to whoever vouched for the person. The way on from there asks for nothing any more: it is sealed into this
/// browser's cookie, and followed only when the provider has done what it was asked for.
async fn prove_again(
    state: &WebState,
    headers: &HeaderMap,
    signed_in: &SignedIn,
    asked: Asked,
    step_up: &StepUp,
    here: Next,
) -> Result<Response, PageFailure> {
    if signed_in.sign_in.idp == User::LOCAL {
        let is_possible = step_up.acr.is_none() && !step_up.mfa;
        return if is_possible {
            Ok(see_other(&here.again_url()))
        } else {
            Err(PageFailure::NotStrongEnough)
        };
    }
    let provider: Name = signed_in.sign_in.idp.parse().map_err(|_| PageFailure::Internal)?;
    let then = state.hand_over().path(&Asked { step_up: None, ..asked }, state.now());
    let errand = Errand {
        next: Next::parse(&then),
        step_up: step_up.at_provider(),
        mfa: step_up.mfa,
        who: Some(signed_in.user.id),
    };
    begin(state, headers, &provider, errand).await
}

impl StepUp {
    /// Whether a sign-in is that fresh and strong.
    fn is_met(&self, signed_in: &SignedIn, now: Timestamp) -> bool {
        let sign_in = &signed_in.sign_in;
        let is_fresh = |at: Timestamp| self.max_age.is_none_or(|max_age| now.since(at) <= max_age.max(FRESH));
        let is_said = self.acr.as_ref().is_none_or(|acr| sign_in.acr.as_ref() == Some(acr));
        is_said && is_fresh(sign_in.authenticated_at) && (!self.mfa || sign_in.mfa_at.is_some_and(is_fresh))
    }

    fn at_provider(&self) -> oidc::StepUp {
        oidc::StepUp {
            max_age_s: self.max_age.map(|max_age| u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX)),
            acr_values: self.acr.iter().cloned().collect(),
            login: self.max_age.is_some() || self.mfa,
        }
    }
}

/// Whether a browser came to show a page. Only browsers say how they fetch; of others the wish for HTML has to do.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
    let wants_html = headers.get_all(header::ACCEPT).iter().any(|accept| text(accept).contains("text/html"));
    let mut modes = headers.get_all("sec-fetch-mode").iter();
    let navigates = modes.all(|mode| text(mode) == "navigate");
    navigates && wants_html
}
