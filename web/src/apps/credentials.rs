//! What is said when that which came as a proof of who asks is none.

use super::said::{Way, Words};
use axum::http::StatusCode;

/// Why a token of ours gets nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefused {
    /// More than one credential came, of which one is ours.
    Ambiguous,
    /// It is malformed, unknown, revoked or expired, or came in a form that the application does not take.
    NotGood,
    /// It is good for something else.
    OutOfReach,
}

pub(super) fn token(refused: TokenRefused) -> Words<'static> {
    match refused {
        TokenRefused::Ambiguous => {
            let what =
                "More than one credential came with the request, and one of them is a token of this gateway.";
            Words::new(StatusCode::BAD_REQUEST, "authorization_ambiguous", "Two credentials", what)
                .next("Send one Authorization header. What the application itself wants to know has to go elsewhere.")
        }
        TokenRefused::NotGood => {
            let what = "The token has ended or was revoked, it was cut on its way, or this application does not take it in this form.";
            Words::new(StatusCode::UNAUTHORIZED, "token_not_good", "This token is not good", what)
                .next("See `postern token list`, make another with `postern token create`, and send it as Bearer; as a password only where the application takes that.")
        }
        TokenRefused::OutOfReach => {
            let what = "The token is good, but for another application or another part of this one.";
            Words::new(StatusCode::FORBIDDEN, "token_out_of_reach", "This token is for something else", what)
                .next("Make one for this application with `postern token create`, or ask for what lies below its path.")
        }
    }
}

pub(super) fn cookie_ambiguous() -> Words<'static> {
    let what = "Two cookies have the same name, and one of them may have been planted by another site.";
    Words::new(StatusCode::BAD_REQUEST, "cookie_ambiguous", "Your browser sent two sign-ins", what)
        .next("Delete the cookies of this site in your browser, then open the page again.")
        .way(Way::Link { href: "/", label: "Open the front page" })
}

pub(super) fn foreign(label: &str) -> Words<'_> {
    let what = "A page of another site sent this in your name, so nothing was done.";
    Words::new(StatusCode::FORBIDDEN, label, "This was not sent from here", what)
        .next("If you meant it, do it on the application's own pages. If that page belongs to you, an administrator can list its origin.")
        .fact("Reason", label)
}
