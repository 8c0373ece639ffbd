//! Answers that are problems, for programs and for people (RFC 9457).

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use postern_api::{Problem, ProblemCode};
use postern_canonical::Refused;

/// A problem as a response.
pub(super) fn of(code: ProblemCode, detail: &str, next: &str) -> Response<Body> {
    response(&Problem::new(code, detail, next))
}

/// A request that cannot be read in one way; the word for the reason stands among the errors.
pub(super) fn refused(refused: Refused) -> Response<Body> {
    let next =
        "send the request in its plain form; if a proxy stands in front, let it pass requests as they come";
    let code = match refused.status() {
        405 => ProblemCode::MethodNotAllowed,
        414 | 431 => ProblemCode::TooLarge,
        _ => ProblemCode::BadRequest,
    };
    let mut problem =
        Problem::new(code, refused.to_string(), next).with_errors(vec![refused.label().to_owned()]);
    problem.status = refused.status();
    response(&problem)
}

/// A request on a connection that was made for another host (RFC 9110 section 15.5.20): browsers ask again on their own.
pub(super) fn misdirected() -> Response<Body> {
    let (detail, next) = ("this connection was made for another host", "open a connection for this host");
    let mut problem = Problem::new(ProblemCode::BadRequest, detail, next);
    problem.status = StatusCode::MISDIRECTED_REQUEST.as_u16();
    response(&problem)
}

/// A name that leads here and is not ours (H7).
pub(super) fn no_such_host() -> Response<Body> {
    of(ProblemCode::NotFound, "there is nothing at this host", "check the address")
}

fn response(problem: &Problem) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(serde_json::to_vec(problem).unwrap_or_default()));
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
