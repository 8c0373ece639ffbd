//! The REST API: each route proves its caller, then the right, then speaks to the store in domain types.

mod app_tokens;
mod apply;
mod behind;
mod bootstrap;
mod connectors;
mod decisions;
mod enrolment;
mod host_keys;
mod me;
mod names;
mod objects;
mod sessions;
mod tokens;
mod users;
mod web;
mod world;

use crate::{WebState, origin, problem::Failure};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{delete, get, post},
};
use postern_api::ProblemCode;

/// The routes below `/api/v1`.
pub(crate) fn routes(state: &WebState) -> Router<WebState> {
    Router::new()
        .route("/me", get(me::me))
        .route("/me/resources", get(me::resources))
        .route("/me/app-tokens", get(app_tokens::list).post(app_tokens::issue))
        .route("/me/app-tokens/{id}", delete(app_tokens::revoke))
        .route("/apply", post(apply::apply))
        .route("/explain", post(decisions::explain))
        .route("/decisions/{id}", get(decisions::one))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", get(sessions::one))
        .route("/sessions/{id}/end", post(sessions::end))
        .route("/users/{user}/disable", post(users::disable))
        .route("/users/{user}/enable", post(users::enable))
        .route("/connectors", get(connectors::list))
        .route("/connectors/{connector}", get(connectors::one))
        .route("/connectors/{connector}/revoke", post(connectors::revoke))
        .route("/grant-keys/rotate", post(connectors::rotate_keys))
        .route("/tokens", get(tokens::list))
        .route("/tokens/{id}", delete(tokens::revoke))
        .route("/service-accounts/{account}/tokens", post(tokens::issue))
        .route("/enrolment-tokens", post(enrolment::issue))
        .route("/resources/{resource}/host-keys", get(host_keys::list))
        .route("/resources/{resource}/host-keys/learn", post(host_keys::learn))
        .route("/resources/{resource}/host-keys/confirm", post(host_keys::confirm))
        .route("/enroll", post(enrolment::enroll))
        .route("/bootstrap", post(bootstrap::bootstrap))
        .route("/{kind}", get(objects::list))
        .route("/{kind}/{object}", get(objects::one))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(state.clone(), refuse_foreign_pages))
}

/// No page of another site may call the API, whatever credentials its browser holds.
async fn refuse_foreign_pages(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    match origin::check(request.headers(), state.issuer()) {
        Ok(()) => Ok(next.run(request).await),
        Err(origin::Foreign) => Err(Failure::new(
            ProblemCode::Csrf,
            "the request comes from a page of another site",
            "call the API from a program, or from a page of this gateway",
        )),
    }
}

async fn no_such_route() -> Failure {
    Failure::new(
        ProblemCode::NotFound,
        "the API has no such path",
        "check the path; all of them begin with /api/v1/",
    )
}

async fn no_such_method() -> Failure {
    Failure::new(
        ProblemCode::MethodNotAllowed,
        "the path does not take this method",
        "read with GET, change with POST, revoke with DELETE",
    )
}
