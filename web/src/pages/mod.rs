//! The pages that a person sees: signing in, letting a device in, and what went wrong. They work without JavaScript and
//! load nothing but our own style sheet.

mod again;
mod assets;
mod browser;
mod device;
mod failure;
mod form_guard;
mod next;
mod not_taken;
mod onward;
mod proof;
mod query;
mod render;
mod sign_in;
mod sign_out;

use crate::WebState;
use axum::{Router, routing::get};

pub(crate) use assets::CSS as STYLE;
pub(crate) use browser::SignedIn;
pub(crate) use failure::PageFailure;
pub(crate) use form_guard::FormGuard;
pub(crate) use next::Next;
pub(crate) use proof::{BROWSER, Proof, come_in};
pub(crate) use query::Query;
pub(crate) use render::{Markup, Page, fill, see_other, text};

/// The routes of the pages.
pub(crate) fn routes() -> Router<WebState> {
    Router::new()
        .route("/", get(sign_in::root))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/again", get(again::show).post(again::submit))
        // Somebody who types it finds the button.
        .route("/sign-out", get(sign_in::root).post(sign_out::submit))
        .route("/signed-out", get(sign_out::show))
        .route("/device", get(device::show).post(device::answer))
        .route(assets::css_path(), get(assets::css))
        .route(assets::ICON_PATH, get(assets::icon))
}

/// There is no such page.
pub(crate) async fn not_found() -> PageFailure {
    PageFailure::NotFound
}
