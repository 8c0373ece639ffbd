//! The OAuth 2.0 authorization server for one client: our own command, a public client on a person's computer.

mod authorize;
mod device;
mod failure;
mod loopback;
mod metadata;
mod revoke;
mod token;

use crate::WebState;
use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use failure::{OauthFailure, Words};

/// The routes of the authorization server.
pub(crate) fn routes() -> Router<WebState> {
    Router::new()
        .route("/oauth/authorize", get(authorize::ask).post(authorize::answer))
        .route("/oauth/token", post(token::exchange))
        .route("/oauth/device_authorization", post(device::authorize))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/.well-known/jwks.json", get(metadata::jwks))
}
