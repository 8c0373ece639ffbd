//! What went wrong, as a page.

use super::{Page, fill, text};
use crate::{problem::Failure, providers::Unusable};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_api::ProblemCode;
use postern_identity::oidc::Rejected;
use postern_store::{ChangeError, Kind, StoreError};
use std::time::Duration;

const FAILURE: &str = include_str!("templates/failure.html");

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum PageFailure {
    /// The request is not one that our pages send.
    BadRequest(&'static str),
    /// What was sent is not a form at all.
    NotAForm,
    /// There is no such page.
    NotFound,
    /// The form was not sent by our page, or by an old one.
    Csrf,
    /// Two cookies of one name came.
    CookieAmbiguous,
    /// The store cannot be reached.
    Unavailable,
    /// A provider cannot be used at this moment; what to do about it.
    Provider(&'static str),
    /// What a provider's answer came to.
    NotSignedIn(Rejected),
    /// The provider vouches for the person, and nobody here knows them, or they are disabled.
    NotWelcome,
    /// Somebody proved again who they are, and came back as another person.
    OtherPerson,
    /// A stronger proof is asked for than this account can give.
    NotStrongEnough,
    /// A hand-over to an application that nobody asked for here, or too long ago.
    HandOver,
    /// Too many attempts.
    Throttled(Duration),
    /// Our own fault.
    Internal,
}

impl PageFailure {
    /// The word for the reason, as the log and the audit have it.
    fn label(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::NotAForm => "unsupported_media_type",
            Self::NotFound => "not_found",
            Self::Csrf => "csrf",
            Self::CookieAmbiguous => "cookie_ambiguous",
            Self::Unavailable => "unavailable",
            Self::Provider(_) => "provider_unavailable",
            Self::NotSignedIn(rejected) => rejected.label(),
            Self::NotWelcome => "not_welcome",
            Self::OtherPerson => "subject_mismatch",
            Self::NotStrongEnough => "step_up_impossible",
            Self::HandOver => "handoff_invalid",
            Self::Throttled(_) => "throttled",
            Self::Internal => "internal",
        }
    }

    fn words(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Self::BadRequest(what) => (
                StatusCode::BAD_REQUEST,
                "This link is not right",
                what,
                "Start again from the command or link that brought you here.",
            ),
            Self::NotAForm => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This is not the form of this page",
                "What was sent is of another kind than our own pages send.",
                "Open the page and fill in its form.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is no such page",
                "The address leads nowhere on this gateway.",
                "Check the address for a typing error.",
            ),
            Self::Csrf => (
                StatusCode::FORBIDDEN,
                "This form has expired",
                "The form was open for too long, or it was not sent by this site.",
                "Go back, reload the page and send the form again. Cookies must be allowed for this site.",
            ),
            Self::CookieAmbiguous => (
                StatusCode::BAD_REQUEST,
                "Your browser sent two sign-ins",
                "Two cookies have the same name, and one of them may have been planted by another site.",
                "Delete the cookies of this site in your browser, then sign in again.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Signing in is not possible right now",
                "The gateway cannot reach its store. Sessions that are open go on.",
                "Try again in a moment.",
            ),
            Self::Provider(next) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Your identity provider cannot be used right now",
                "Sessions that are open go on.",
                next,
            ),
            Self::NotSignedIn(rejected) => not_signed_in(*rejected),
            Self::NotWelcome => (
                StatusCode::FORBIDDEN,
                "You are not known here",
                "Your identity provider vouches for you, but this gateway has no place for you, or it was taken away.",
                "Ask an administrator of this gateway to add you.",
            ),
            Self::OtherPerson => (
                StatusCode::FORBIDDEN,
                "Another person came back",
                "You were asked to prove again who you are, and the identity provider signed in somebody else.",
                "Sign out there, then start again from the page that brought you here.",
            ),
            Self::NotStrongEnough => (
                StatusCode::FORBIDDEN,
                "Your account cannot prove that",
                "The application asks for a second factor, and accounts of this gateway have none.",
                "Sign out, and sign in again at your company's identity provider.",
            ),
            Self::HandOver => (
                StatusCode::BAD_REQUEST,
                "This link is not right",
                "It leads to an application, but it has expired or was not made by this gateway.",
                "Open the application's own address again.",
            ),
            Self::Throttled(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many attempts",
                "There were too many wrong attempts in a short time.",
                "Wait a minute, then try again.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway failed",
                "This is not your fault.",
                "Tell an administrator, who finds the reason in the gateway's log.",
            ),
        }
    }
}

fn not_signed_in(rejected: Rejected) -> (StatusCode, &'static str, &'static str, &'static str) {
    let again = "Start again from the page or command that brought you here.";
    match rejected {
        Rejected::State | Rejected::Issuer => (
            StatusCode::BAD_REQUEST,
            "This sign-in was not begun here",
            "The answer of the identity provider belongs to no sign-in of this browser, or came too late.",
            again,
        ),
        Rejected::Denied => (
            StatusCode::FORBIDDEN,
            "You were not signed in",
            "The identity provider did not sign you in.",
            again,
        ),
        Rejected::Groups => (
            StatusCode::FORBIDDEN,
            "Your groups are not known",
            "The identity provider did not say which groups you are in, so nothing can be decided.",
            "Tell an administrator: the groups claim has to be configured at the provider.",
        ),
        Rejected::NotSteppedUp => (
            StatusCode::FORBIDDEN,
            "That was not enough",
            "The identity provider did not ask for a sign-in as fresh or as strong as the application wants.",
            "Ask an administrator: the provider has to be told to ask for it.",
        ),
        Rejected::Nonce
        | Rejected::Token
        | Rejected::NoToken
        | Rejected::Code
        | Rejected::Ended
        | Rejected::Subject
        | Rejected::Claims
        | Rejected::LogoutToken => (
            StatusCode::UNAUTHORIZED,
            "You were not signed in",
            "The answer of the identity provider cannot be believed.",
            again,
        ),
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        let (status, title, what, next) = self.words();
        let label = text(self.label());
        let body = fill(
            FAILURE,
            &[("title", text(title)), ("what", text(what)), ("next", text(next)), ("reason", label)],
        );
        let page = Page::new(title, body).status(status);
        match self {
            Self::Throttled(after) => {
                let seconds = HeaderValue::from(after.as_secs().max(1));
                page.header(header::RETRY_AFTER, seconds).into_response()
            }
            Self::BadRequest(_)
            | Self::NotAForm
            | Self::NotFound
            | Self::Csrf
            | Self::CookieAmbiguous
            | Self::Unavailable
            | Self::Provider(_)
            | Self::NotSignedIn(_)
            | Self::NotWelcome
            | Self::OtherPerson
            | Self::NotStrongEnough
            | Self::HandOver
            | Self::Internal => page.into_response(),
        }
    }
}

impl From<StoreError> for PageFailure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "the store did not answer a page");
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Corrupt { .. } | StoreError::Sealed(_) => Self::Internal,
        }
    }
}

impl From<Unusable> for PageFailure {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Store(error) => error.into(),
            Unusable::Config(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a provider cannot be used as it is configured"
                );
                Self::Provider("An administrator has to correct how the provider is configured here.")
            }
        }
    }
}

impl From<ChangeError> for PageFailure {
    fn from(error: ChangeError) -> Self {
        if let ChangeError::Missing { kind: Kind::SignIn, .. } = error {
            return Self::BadRequest("Your sign-in ended meanwhile.");
        }
        let ChangeError::Store(error) = error else {
            tracing::error!(error = &error as &dyn std::error::Error, "the store refused a page's change");
            return Self::Internal;
        };
        error.into()
    }
}

impl From<Failure> for PageFailure {
    fn from(failure: Failure) -> Self {
        if failure.code() == ProblemCode::UnsupportedMediaType {
            return Self::NotAForm;
        }
        Self::BadRequest("The form could not be read.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o01_o02_o04_o07_each_refusal_has_its_status_and_its_word() {
        for (rejected, status, word) in [
            (Rejected::State, 400, "state_invalid"),
            (Rejected::Issuer, 400, "iss_mismatch"),
            (Rejected::Nonce, 401, "nonce_mismatch"),
            (Rejected::Token, 401, "id_token_invalid"),
            (Rejected::Code, 401, "code_refused"),
            (Rejected::Subject, 401, "subject_mismatch"),
            (Rejected::Groups, 403, "groups_unresolved"),
            (Rejected::NotSteppedUp, 403, "step_up_refused"),
            (Rejected::Denied, 403, "denied_by_provider"),
        ] {
            let failure = PageFailure::NotSignedIn(rejected);
            assert_eq!(failure.label(), word);
            assert_eq!(failure.into_response().status().as_u16(), status, "{word}");
        }
        assert_eq!(PageFailure::HandOver.label(), "handoff_invalid");
        assert_eq!(PageFailure::HandOver.into_response().status(), StatusCode::BAD_REQUEST);
    }
}
