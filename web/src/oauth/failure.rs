//! Errors in the words of RFC 6749 section 5.2 and RFC 8628 section 3.5.

use crate::{problem::Failure, tokens::IssueError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_api::oauth::ErrorReply;
use postern_store::{ChangeError, StoreError};
use std::time::Duration;

/// The standards' words for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    ServerError,
    SlowDown,
    TemporarilyUnavailable,
    UnsupportedGrantType,
    UnsupportedResponseType,
}

impl Words {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::ServerError => "server_error",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::AccessDenied
            | Self::AuthorizationPending
            | Self::ExpiredToken
            | Self::InvalidGrant
            | Self::InvalidRequest
            | Self::SlowDown
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => StatusCode::BAD_REQUEST,
        }
    }
}

/// A failed request of the authorization server.
#[derive(Debug)]
pub(crate) enum OauthFailure {
    /// In the standard's words.
    Said(Words, &'static str),
    /// Too many requests from one network.
    Limited(Duration),
    /// The form itself could not be read.
    Unreadable(Failure),
}

impl OauthFailure {
    pub(crate) fn invalid_request(description: &'static str) -> Self {
        Self::Said(Words::InvalidRequest, description)
    }

    pub(crate) fn invalid_grant(description: &'static str) -> Self {
        Self::Said(Words::InvalidGrant, description)
    }
}

impl IntoResponse for OauthFailure {
    fn into_response(self) -> Response {
        let (words, description, status, after) = match self {
            Self::Said(words, description) => (words, description, words.status(), None),
            Self::Limited(after) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                (Words::SlowDown, "too many requests from this address", status, Some(after))
            }
            Self::Unreadable(failure) => return failure.into_response(),
        };
        let reply =
            ErrorReply { error: words.as_str().to_owned(), error_description: description.to_owned() };
        let mut response = (status, Json(reply)).into_response();
        if let Some(after) = after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

impl From<Failure> for OauthFailure {
    fn from(failure: Failure) -> Self {
        Self::Unreadable(failure)
    }
}

impl From<StoreError> for OauthFailure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the store did not answer a sign-in");
        Self::Said(Words::TemporarilyUnavailable, "the gateway cannot reach its store, try again")
    }
}

impl From<ChangeError> for OauthFailure {
    fn from(error: ChangeError) -> Self {
        let ChangeError::Store(error) = error else {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store refused a sign-in");
            return Self::invalid_grant("the grant cannot be used any more");
        };
        error.into()
    }
}

impl From<IssueError> for OauthFailure {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused => Self::invalid_grant("the person may not sign in any more"),
            IssueError::Change(error) => error.into(),
            IssueError::Store(error) => error.into(),
            key @ IssueError::Key(_) => {
                tracing::error!(
                    error = &key as &dyn std::error::Error,
                    "an access token could not be signed"
                );
                Self::Said(Words::ServerError, "the gateway cannot sign tokens")
            }
        }
    }
}
