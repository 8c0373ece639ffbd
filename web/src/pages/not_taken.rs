//! A password that was not taken, as each form that asks for one says it.

use super::{Page, PageFailure};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postern_identity::{DoorRefused, HashRefused};
use std::{net::IpAddr, time::Duration};

/// Hashing is busy for as long as a few passwords take.
const BUSY_FOR: Duration = Duration::from_secs(3);

/// Why, and when it may be tried again.
pub(super) struct NotTaken {
    /// What the form says.
    pub(super) said: &'static str,
    status: StatusCode,
    retry_after: Option<Duration>,
}

impl NotTaken {
    /// Logs it and finds its words; `wrong` are the form's own for a password that is wrong.
    pub(super) fn of(
        refused: DoorRefused,
        wrong: &'static str,
        address: IpAddr,
    ) -> Result<Self, PageFailure> {
        let (said, status, retry_after) = match refused {
            DoorRefused::Wrong => {
                tracing::info!(client.address = %address, "authn.rejected: a password was wrong");
                (wrong, StatusCode::UNAUTHORIZED, None)
            }
            DoorRefused::Throttled(wait) => {
                tracing::info!(client.address = %address, "limit.hit: too many sign-in attempts");
                let said = "Too many attempts. Wait a minute, then try again.";
                (said, StatusCode::TOO_MANY_REQUESTS, Some(wait.retry_after))
            }
            DoorRefused::Hash(HashRefused::Busy) => {
                let said = "Too many people are signing in at this moment. Try again in a few seconds.";
                (said, StatusCode::TOO_MANY_REQUESTS, Some(BUSY_FOR))
            }
            DoorRefused::Hash(HashRefused::Failed) => return Err(PageFailure::Internal),
        };
        Ok(Self { said, status, retry_after })
    }

    /// The answer: the form once more, with its words on it.
    pub(super) fn answer(self, form: Page) -> Response {
        let page = form.status(self.status);
        let Some(after) = self.retry_after else { return page.into_response() };
        page.header(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1))).into_response()
    }
}
