//! Signing in at a company's identity provider: the way there, the way back, and what the provider takes back later.
//!
//! The provider is believed about who somebody is. What that person may do is policy's, and who is in which group here
//! follows from the provider's groups only where an administrator said so.

mod back;
mod pending;
mod refresh;
mod signed_out;
mod start;

use crate::WebState;
use axum::{
    Router,
    routing::{get, post},
};
use std::{convert::Infallible, time::Duration};

/// The routes of providers. Each has addresses of its own.
pub(crate) fn routes() -> Router<WebState> {
    Router::new()
        .route("/oidc/{provider}/start", get(start::start))
        .route("/oidc/{provider}/callback", get(back::callback))
        .route("/oidc/{provider}/backchannel-logout", post(signed_out::backchannel))
}

/// How often sign-ins are looked for whose provider should be asked again.
const LOOK: Duration = Duration::from_secs(5);

/// Asks providers again, for ever, about people about whom they were asked too long ago. An absent store or provider is
/// asked in a later turn.
pub async fn keep_asking_providers(state: WebState) -> Infallible {
    loop {
        tokio::time::sleep(LOOK).await;
        if refresh::turn(&state).await.is_err() {
            tracing::debug!("identity providers could not be asked about everybody");
        }
    }
}
