//! Signing in at a company's identity provider: the way there, the way back, and what the provider takes back later.
//!
//! The provider is believed about who somebody is. What that person may do is policy's, and who is in which group here
//! follows from the provider's groups only where an administrator said so.

mod back;
mod pending;
mod refresh;
mod signed_out;
mod start;
mod turn;

pub(crate) use start::{Errand, begin};

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
        .route(
            "/oidc/{provider}/backchannel-logout",
            post(signed_out::backchannel).fallback(signed_out::not_posted),
        )
}

/// How often sign-ins are looked after.
const LOOK: Duration = Duration::from_secs(5);

/// Looks after the sign-ins for ever: asks providers again about people whom they were asked about too long ago, and ends
/// what nobody uses.
pub async fn keep_asking_providers(state: WebState) -> Infallible {
    loop {
        tokio::time::sleep(LOOK).await;
        look_after_sign_ins(&state).await;
    }
}

/// Looks once at the sign-ins: ends those that nobody uses, notes which are used, and asks their providers about them again
/// where it is time. An absent store or provider is asked in a later turn.
pub async fn look_after_sign_ins(state: &WebState) {
    if turn::turn(state).await.is_err() {
        tracing::debug!("sign-ins could not all be looked after");
    }
}
