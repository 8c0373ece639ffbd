//! Answers that are problems, for programs and for people (RFC 9457).

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use postern_api::{Problem, ProblemCode};

/// A problem as a response.
pub(super) fn of(code: ProblemCode, detail: &str, next: &str) -> Response<Body> {
    let problem = Problem::new(code, detail, next);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same, naming the seconds to wait.
pub(super) fn later(code: ProblemCode, detail: &str, next: &str, seconds: u64) -> Response<Body> {
    let mut response = of(code, detail, next);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A status that says all.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
