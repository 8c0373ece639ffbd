//! An answer that refuses, as the failure that it is.

use super::body;
use crate::{
    bearer::Bearer,
    failure::{Failure, code, printable},
};
use postern_api::{Problem, ProblemCode};
use reqwest::{Response, StatusCode};
use serde::Deserialize;

/// The failure that a refusing answer stands for.
pub(super) async fn refused(answer: Response, bearer: &Bearer) -> Failure {
    let status = answer.status();
    let bytes = body(answer).await.unwrap_or_default();
    match serde_json::from_slice::<Problem>(&bytes).ok() {
        Some(problem) if problem.code == ProblemCode::Unauthenticated && bearer.is_service_account() => {
            Failure::new(code::DENIED, "the gateway does not accept POSTERN_TOKEN")
                .then("have an owner make another: postern tokens create --service-account NAME")
        }
        Some(problem) if problem.code == ProblemCode::Unauthenticated => {
            Failure::signed_out("the gateway does not accept your sign-in any more")
        }
        Some(problem) => Failure::problem(&problem),
        None => unfamiliar(status, &bytes),
    }
}

/// A problem with a code of a newer gateway: its own words, and the exit code of its status.
fn unfamiliar(status: StatusCode, bytes: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Words {
        detail: String,
        next: String,
    }
    let bare = without_problem(status);
    match serde_json::from_slice::<Words>(bytes) {
        Ok(words) => Failure::new(bare.code, printable(&words.detail)).then(printable(&words.next)),
        Err(_) => bare,
    }
}

/// What a status alone says; proxies and load balancers answer without a problem document.
pub fn without_problem(status: StatusCode) -> Failure {
    let exit = match status.as_u16() {
        401 | 403 => code::DENIED,
        404 => code::NOT_FOUND,
        408 | 429 | 500.. => code::UNAVAILABLE,
        _ => code::USAGE,
    };
    Failure::new(exit, format!("the gateway answered {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_status_has_an_exit_code_too() {
        for (status, exit) in [(400, 64), (403, 77), (404, 69), (502, 75), (429, 75)] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert_eq!(without_problem(status).code, exit, "{status}");
        }
    }

    #[test]
    fn a_problem_of_a_newer_gateway_speaks_for_itself() {
        let newer =
            br#"{"code":"too_windy","detail":"It is too windy.","next":"Wait.","status":409,"more":1}"#;
        let failure = unfamiliar(StatusCode::CONFLICT, newer);
        assert_eq!((failure.code, failure.sentence.as_str()), (64, "It is too windy"));
        assert_eq!(failure.next.as_deref(), Some("Wait."));
        assert_eq!(unfamiliar(StatusCode::BAD_GATEWAY, b"<html>").code, 75);
    }
}
