//! The router as its peers meet it: pages, authorization server and API over a real store.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod api;
mod app_tokens;
mod apply;
mod apps;
mod forgery;
mod gate;
mod guessing;
mod hand_over;
mod keys;
mod oauth;
mod owners;
mod pages;
mod published;
mod refused_tokens;
mod sessions;
