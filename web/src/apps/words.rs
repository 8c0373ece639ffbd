//! What is said, and with which status: whose fault it is, what to do next, and whom to ask.

use super::{
    credentials::{self, TokenRefused},
    said::{Way, Words},
};
use axum::http::StatusCode;
use postern_ids::DecisionId;

/// A page on an application's host.
#[derive(Debug, Clone, Copy)]
pub enum AppPage<'a> {
    /// The person may not.
    Denied {
        /// The application.
        resource: &'a str,
        /// Why, in a sentence.
        sentence: &'a str,
        /// The decision, to be named to whoever is asked.
        decision: DecisionId,
        /// Who is signed in.
        user: &'a str,
        /// The address that asks for a fresher or stronger sign-in, where one would help.
        step_up: Option<&'a str>,
    },
    /// A form met a sign-in that had ended.
    SignedOutMeanwhile,
    /// No connector serves the application.
    NoConnector {
        /// The application.
        resource: &'a str,
        /// The request's id.
        request: &'a str,
    },
    /// The connector did not reach the application.
    TargetFailed {
        /// The application.
        resource: &'a str,
        /// The request's id.
        request: &'a str,
    },
    /// The application did not answer in time.
    Timeout {
        /// The application.
        resource: &'a str,
        /// The request's id.
        request: &'a str,
    },
    /// The application's answer is not HTTP that may be passed on.
    BadUpstream {
        /// The application.
        resource: &'a str,
        /// The request's id.
        request: &'a str,
    },
    /// The gateway cannot decide or record at this moment.
    Unavailable {
        /// The request's id.
        request: &'a str,
    },
    /// No application has this host or path.
    NotFound,
    /// A hand-over came to nothing.
    HandOverInvalid {
        /// The address that begins anew.
        retry: &'a str,
    },
    /// The request is ambiguous or malformed.
    BadRequest {
        /// What is wrong with it, as one word.
        label: &'a str,
        /// The status that says it best.
        status: u16,
    },
    /// A page of another site sent it in the person's name.
    Foreign {
        /// By which way, as one word.
        label: &'a str,
    },
    /// Our cookie came twice.
    CookieAmbiguous,
    /// A token of ours gets nowhere.
    Token(TokenRefused),
    /// Too many requests.
    Limit {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The form that signs out.
    SignOut {
        /// Who is signed in.
        user: &'a str,
        /// The application.
        resource: &'a str,
    },
}

impl<'a> Words<'a> {
    /// The words for a page.
    pub(super) fn of(page: AppPage<'a>) -> Self {
        match page {
            AppPage::Denied { resource, sentence, decision, user, step_up } => {
                denied(resource, sentence, decision, user, step_up)
            }
            AppPage::SignedOutMeanwhile => signed_out_meanwhile(),
            AppPage::NoConnector { resource, request } => no_connector(resource, request),
            AppPage::TargetFailed { resource, request } => target_failed(resource, request),
            AppPage::Timeout { resource, request } => timeout(resource, request),
            AppPage::BadUpstream { resource, request } => bad_upstream(resource, request),
            AppPage::Unavailable { request } => unavailable(request),
            AppPage::NotFound => not_found(),
            AppPage::HandOverInvalid { retry } => hand_over_invalid(retry),
            AppPage::BadRequest { label, status } => bad_request(label, status),
            AppPage::Foreign { label } => credentials::foreign(label),
            AppPage::CookieAmbiguous => credentials::cookie_ambiguous(),
            AppPage::Token(refused) => credentials::token(refused),
            AppPage::Limit { retry_after_s } => limit(retry_after_s),
            AppPage::SignOut { user, resource } => sign_out(user, resource),
        }
    }
}

fn denied<'a>(
    resource: &'a str,
    sentence: &'a str,
    decision: DecisionId,
    user: &'a str,
    step_up: Option<&'a str>,
) -> Words<'a> {
    let words = Words::new(StatusCode::FORBIDDEN, "denied", "You may not open this", whole(sentence))
        .fact("Application", resource)
        .fact("Signed in as", user)
        .fact("Decision", decision.to_string());
    match step_up {
        Some(href) => words
            .next("A fresh sign-in may be enough. If it is not, ask an administrator, and name the decision.")
            .way(Way::Link { href, label: "Sign in again" }),
        None => words
            .next("If you need it, ask an administrator of this gateway, and name the decision.")
            .way(Way::Link { href: "/.postern/sign-out", label: "Sign in as somebody else" }),
    }
}

/// A reason has neither capital nor full stop, for commands that say more in the same line.
fn whole(reason: &str) -> String {
    let mut letters = reason.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

fn signed_out_meanwhile() -> Words<'static> {
    let what =
        "Your sign-in ended before you sent this. Nothing was sent to the application, and nothing is lost.";
    Words::new(StatusCode::UNAUTHORIZED, "unauthenticated", "You were signed out meanwhile", what)
        .next(
            "Sign in in another tab, then come back and reload this page: your browser sends the form again.",
        )
        .way(Way::NewTab { href: "/.postern/sign-in", label: "Sign in in another tab" })
}

fn no_connector<'a>(resource: &'a str, request: &'a str) -> Words<'a> {
    let what = "No connector of the application's site is online, so the gateway has no way to it.";
    Words::new(StatusCode::SERVICE_UNAVAILABLE, "no_connector", "The application cannot be reached", what)
        .next("Try again in a moment. If it stays so, tell an administrator of this gateway, and name the request.")
        .retry_after(5)
        .fact("Application", resource)
        .fact("Request", request)
}

fn target_failed<'a>(resource: &'a str, request: &'a str) -> Words<'a> {
    let what = "The gateway's connector could not reach the application, or the connection broke.";
    Words::new(StatusCode::BAD_GATEWAY, "target_unreachable", "The application does not answer", what)
        .next("It may be restarting: try again in a moment. If it stays so, tell whoever runs the application, and name the request.")
        .fact("Application", resource)
        .fact("Request", request)
}

fn timeout<'a>(resource: &'a str, request: &'a str) -> Words<'a> {
    let what = "The application took longer to answer than an administrator allows.";
    Words::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "The application is too slow", what)
        .next("What you asked for may have been done all the same: look before you send it again. If it stays so, tell whoever runs the application, and name the request.")
        .fact("Application", resource)
        .fact("Request", request)
}

fn bad_upstream<'a>(resource: &'a str, request: &'a str) -> Words<'a> {
    let what = "What the application answered cannot be passed on.";
    Words::new(StatusCode::BAD_GATEWAY, "bad_answer", "The application's answer is broken", what)
        .next("Tell whoever runs the application, and name the request: the reason stands in the gateway's log.")
        .fact("Application", resource)
        .fact("Request", request)
}

fn unavailable(request: &str) -> Words<'_> {
    let what = "The gateway cannot decide about new requests at this moment. The fault is not yours.";
    Words::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible right now", what)
        .next("Try again in a moment. If it stays so, tell an administrator of this gateway, and name the request.")
        .retry_after(5)
        .fact("Request", request)
}

fn not_found() -> Words<'static> {
    let what = "No application of this gateway has this address.";
    Words::new(StatusCode::NOT_FOUND, "no_such_resource", "There is nothing here", what)
        .next("Check the address for a typing error. If somebody gave it to you, ask them whether it moved.")
}

fn hand_over_invalid(retry: &str) -> Words<'_> {
    let what = "The last step of signing in was too late, was done already, or began in another browser.";
    Words::new(StatusCode::BAD_REQUEST, "handoff_invalid", "This sign-in did not arrive", what)
        .next("Begin anew. If it happens again, allow cookies for this site.")
        .way(Way::Link { href: retry, label: "Begin anew" })
        .fact("Reason", "handoff_invalid")
}

fn bad_request(label: &str, status: u16) -> Words<'_> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let what = "The request can be read in more than one way, or in none, so it was not passed on.";
    Words::new(status, label, "This request is not right", what)
        .next("If a link led here, tell whoever runs the application. If you wrote a program, the reason is named here.")
        .fact("Reason", label)
}

fn limit(retry_after_s: u64) -> Words<'static> {
    let what = "There were more requests in a short time than are allowed.";
    Words::new(StatusCode::TOO_MANY_REQUESTS, "limit", "Too many requests", what)
        .next("Wait a moment, then reload the page.")
        .retry_after(retry_after_s)
}

fn sign_out<'a>(user: &'a str, resource: &'a str) -> Words<'a> {
    let what = "You will be signed out of every application behind this gateway, in this browser.";
    Words::new(StatusCode::OK, "confirm", "Sign out?", what)
        .next("What is open in other tabs ends within a second.")
        .fact("Signed in as", user)
        .fact("Application", resource)
        .way(Way::SignOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_whole_sentence_on_a_page() {
        assert_eq!(whole("no rule allows this"), "No rule allows this.");
        assert_eq!(whole("A rule forbids it."), "A rule forbids it.");
    }
}
