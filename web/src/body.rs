//! Request bodies: plain JSON for the API, plain forms for pages and OAuth, both bounded and read strictly.

use crate::{WebState, problem::Failure};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use postern_api::ProblemCode;
use serde::de::DeserializeOwned;
use std::{collections::HashMap, time::Duration};

/// The largest JSON body.
const JSON_MAX_BYTES: usize = 1024 * 1024;

/// The largest form: two codes, a URL and a password.
const FORM_MAX_BYTES: usize = 16 * 1024;

/// How long a body may take: a mebibyte over a quarter of a megabit a second needs half of it.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Fields in a form.
const FIELDS_MAX: usize = 32;

/// A JSON body of exactly this type.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<WebState> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        media_type(&parts.headers, "application/json")?;
        let bytes = read(&parts.headers, body, JSON_MAX_BYTES).await?;
        // An empty body is the empty object: every field of such a request is optional.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    let message = error.to_string();
    if !error.is_data() {
        return Failure::new(
            ProblemCode::BadRequest,
            format!("the body is not JSON: {message}"),
            "send valid JSON",
        );
    }
    if message.starts_with("unknown field") || message.starts_with("duplicate field") {
        let next = "remove the field; the message lists those that exist";
        return Failure::new(ProblemCode::UnknownField, message, next);
    }
    Failure::invalid(message)
}

/// A form in which no field occurs twice.
#[derive(Debug, Default)]
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    /// Reads `a=b&c=d`; nothing when a field is given twice or there are too many.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if fields.len() >= FIELDS_MAX || fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self(fields))
    }

    /// A field's value; nothing when it is missing or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A field's value, to be moved elsewhere.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }
}

impl FromRequest<WebState> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        media_type(&parts.headers, "application/x-www-form-urlencoded")?;
        let bytes = read(&parts.headers, body, FORM_MAX_BYTES).await?;
        Self::parse(&bytes).ok_or_else(|| {
            Failure::new(
                ProblemCode::BadRequest,
                "a field is given twice, or there are too many",
                "send each field once",
            )
        })
    }
}

fn media_type(headers: &HeaderMap, wanted: &str) -> Result<(), Failure> {
    let refused = |detail: &str| {
        let next = format!("send the header `Content-Type: {wanted}` and no Content-Encoding");
        Err(Failure::new(ProblemCode::UnsupportedMediaType, detail, next))
    };
    if headers.contains_key(header::CONTENT_ENCODING) {
        return refused("the body is encoded");
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(found), None) = (types.next(), types.next()) else {
        return refused("the body's type is missing or given twice");
    };
    let found = found.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = found.split(';').map(str::trim);
    let right_type = parts.next() == Some(wanted);
    let plain = parts.all(|parameter| matches!(parameter, "" | "charset=utf-8" | "charset=\"utf-8\""));
    if right_type && plain { Ok(()) } else { refused("the body is of another type") }
}

async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || {
        Failure::new(
            ProblemCode::TooLarge,
            format!("the body is larger than {} KiB", limit / 1024),
            "split the request into smaller ones",
        )
    };
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    within(BODY_WITHIN, to_bytes(body, limit)).await?.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
            too_large()
        } else {
            Failure::new(ProblemCode::BadRequest, "the body did not arrive whole", "send the request again")
        }
    })
}

/// A peer that sends its body byte by byte does not hold the request for ever.
async fn within<T>(limit: Duration, body: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::time::timeout(limit, body).await.map_err(|_| {
        let next = "send the request again, over a better connection";
        Failure::new(ProblemCode::TooSlow, "the body did not arrive in time", next)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use axum::{http::StatusCode, response::IntoResponse};

    #[tokio::test]
    async fn h16_a_body_that_never_ends_is_given_up_with_408() {
        let endless =
            to_bytes(Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()), 1);
        let refused = within(Duration::from_millis(5), endless).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn a_form_field_given_twice_makes_the_form_unreadable() {
        assert!(Form::parse(b"a=1&b=2&a=1").is_none());
        assert!(Form::parse(&b"a=1&".repeat(40)).is_none());
        let form = Form::parse(b"a=%26+x&b=").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("& x"), None, None));
    }
}
