//! The way on from a form. Browsers hold whatever follows a form, redirects too, to the policy of the form's page (`form-action`), and
//! that cannot name the hosts of all applications: a way that leaves our host is begun anew, by a page that leads on.

use super::{Next, Page, fill, see_other, text};
use axum::response::{IntoResponse, Response};

const GO_ON: &str = include_str!("templates/go_on.html");

/// Goes on to `next` from a form that was sent.
pub(super) fn after_form(next: &Next) -> Response {
    if !next.leaves_us() {
        return see_other(next.as_str());
    }
    let body = fill(GO_ON, &[("location", text(next.as_str()))]);
    Page::new("Signed in", body).continue_at(next.as_str()).into_response()
}
