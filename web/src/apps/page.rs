//! The pages.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
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
    },
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

/// The page for a person.
pub fn page(page: AppPage<'_>) -> Response {
    let _ = page;
    StatusCode::NOT_IMPLEMENTED.into_response()
}

/// The same for a program, as `application/problem+json`.
pub fn problem(page: AppPage<'_>) -> Response {
    let _ = page;
    StatusCode::NOT_IMPLEMENTED.into_response()
}
