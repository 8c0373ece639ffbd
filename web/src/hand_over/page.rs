//! The page of our own host that hands a browser over to an application's host.

use crate::WebState;
use axum::Router;

/// The routes of hand-overs.
pub(crate) fn routes() -> Router<WebState> {
    Router::new()
}
