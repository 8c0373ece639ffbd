//! What a browser or an API client sees that is ours: sign-in pages, the OAuth 2.0 server for our own command, the REST API.
//!
//! This crate never touches a tunnel or a socket. What lives at this moment — policy snapshots, sessions, connectors — it
//! sees through two traits, [`Snapshots`] and [`LiveSessions`], which the gateway implements.
#![forbid(unsafe_code)]

mod api;
pub mod apps;
mod body;
mod caller;
mod client_addr;
mod cookies;
mod denials;
pub mod hand_over;
mod hand_over_page;
mod headers;
mod keys;
mod limits;
mod oauth;
mod origin;
mod pages;
mod problem;
mod providers;
mod seams;
mod sso;
mod state;
mod tokens;
mod uses;

pub use keys::{KeyRing, KeyRingError, Keys, Successor};
pub use seams::{ClientAddr, LiveSessions, Snapshots};
pub use sso::{keep_asking_providers, look_after_sign_ins};
pub use state::{Clock, WebConfig, WebState};

/// Everything that is served on the gateway's own host, except the tunnel.
///
/// Each request must carry [`ClientAddr`] as an extension; without it, what is counted per address is refused.
pub fn router(state: WebState) -> axum::Router {
    axum::Router::new()
        .merge(pages::routes())
        .merge(oauth::routes())
        .merge(sso::routes())
        .merge(hand_over_page::routes())
        .nest("/api/v1", api::routes(&state))
        .fallback(pages::not_found)
        .layer(axum::middleware::from_fn(headers::protect))
        .with_state(state)
}
