//! What the address of a page asks for.

use super::PageFailure;
use crate::body::Form;
use axum::{extract::FromRequestParts, http::request::Parts};

/// The query of an address, in which no part occurs twice.
pub(crate) struct Query {
    /// Its parts.
    pub(crate) parts: Form,
    /// The query as it is written.
    pub(crate) text: String,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = PageFailure;

    async fn from_request_parts(request: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let text = request.uri.query().unwrap_or_default().to_owned();
        let read = Form::parse(text.as_bytes());
        let parts = read.ok_or(PageFailure::BadRequest("The address has a part that is given twice."))?;
        Ok(Self { parts, text })
    }
}
