//! Failures of the API as the peer sees them: a problem document that says whose fault it is and what to do next.

use crate::KeyRingError;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_api::{Problem, ProblemCode};
use postern_ids::DecisionId;
use postern_store::{ChangeError, StoreError};
use std::time::Duration;

/// A failed request of the API.
#[derive(Debug)]
pub(crate) struct Failure {
    problem: Box<Problem>,
    retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(code, detail, next)), retry_after: None }
    }

    /// What kind of failure it is.
    pub(crate) fn code(&self) -> ProblemCode {
        self.problem.code
    }

    pub(crate) fn with_errors(mut self, errors: Vec<String>) -> Self {
        self.problem.errors = errors;
        self
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// There is no such thing, or it may not be seen: both look the same.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            ProblemCode::NotFound,
            format!("there is no such {what}, or you may not see it"),
            "check the id or name with the matching list command",
        )
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Invalid, detail, "correct the value and send the request again")
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            ProblemCode::Unauthenticated,
            "the request carries no credential that is still good",
            "sign in with `postern login`, or use a valid service-account token",
        )
    }

    pub(crate) fn denied(decision: DecisionId, sentence: &str) -> Self {
        let mut failure = Self::new(
            ProblemCode::Denied,
            sentence.to_owned(),
            format!("ask an owner, and name the decision {decision}"),
        );
        failure.problem.decision = Some(decision);
        failure
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(
            ProblemCode::Unavailable,
            "the gateway cannot reach its store, so nothing was changed",
            "try again in a moment",
        )
        .retry_after(Duration::from_secs(2))
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            ProblemCode::Internal,
            "the gateway failed; the fault is not yours",
            "tell an administrator, who finds the reason in the gateway's log",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let failure = match &error {
            StoreError::Unavailable(_) => Self::unavailable(),
            StoreError::Corrupt { .. } | StoreError::Sealed(_) => Self::internal(),
        };
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the store did not answer a request of the API"
        );
        failure
    }
}

impl From<KeyRingError> for Failure {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::Store(error) => error.into(),
            KeyRingError::Change(error) => error.into(),
            KeyRingError::Key { .. } => {
                tracing::error!(error = &error as &dyn std::error::Error, "the signing keys cannot be used");
                Self::internal()
            }
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        if let ChangeError::Store(error) = error {
            return error.into();
        }
        let (code, next) = match &error {
            ChangeError::Failed | ChangeError::Store(_) => {
                (ProblemCode::Unavailable, "try again in a moment")
            }
            ChangeError::Missing { kind, .. } => return Self::not_found(&kind.to_string()),
            ChangeError::Conflict { .. } | ChangeError::Taken { .. } => {
                (ProblemCode::Conflict, "read the object again and repeat the change")
            }
            ChangeError::Referenced { .. } => (ProblemCode::InUse, "remove what refers to it first"),
            ChangeError::TooMany { .. } => (ProblemCode::Conflict, "remove some of them first"),
            ChangeError::LastOwner => (ProblemCode::LastOwner, "make somebody else an owner first"),
            ChangeError::BuiltIn { .. } => {
                (ProblemCode::ImmutableField, "leave the built-in object as it is")
            }
        };
        Self::new(code, error.to_string(), next)
    }
}
