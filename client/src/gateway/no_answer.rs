//! A request that got no answer: why, whether it may have arrived, and what a person can do.

use crate::{
    bearer::Bearer,
    failure::{Failure, chain},
    home::Profile,
    patience::is_absence,
};
use std::{error::Error, io, iter};

/// Why a request got no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// The failure that it is.
    pub failure: Failure,
    /// Whether nobody was there, or whoever was went without a word, as at a gateway that restarts.
    pub is_away: bool,
    /// Whether somebody may have the request and do what it says.
    pub may_have_arrived: bool,
}

impl From<NoAnswer> for Failure {
    fn from(no: NoAnswer) -> Self {
        no.failure
    }
}

impl NoAnswer {
    pub(super) fn of(profile: &Profile, error: &reqwest::Error) -> Self {
        let causes = iter::successors(error.source(), |&cause| cause.source());
        let mut kinds = causes.filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        let may_have_arrived = !error.is_connect();
        let went = error.is_request() && may_have_arrived && !error.is_timeout();
        let is_away = went || kinds.any(is_absence);
        Self { failure: unreachable(profile, error), is_away, may_have_arrived }
    }
}

/// The failure of a request that got no answer.
pub fn unreachable(profile: &Profile, error: &reqwest::Error) -> Failure {
    let cause = error.source().map_or_else(|| error.to_string(), chain);
    let cause = cause
        .trim_start_matches("client error (Connect): ")
        .trim_start_matches("client error (SendRequest): ");
    let failure = Failure::unavailable(format!("{} cannot be reached: {cause}", profile.gateway));
    match what_to_do(cause, profile.gateway.scheme() == "http", profile.trust().system_roots) {
        Some(next) => failure.then(next),
        None => failure,
    }
}

/// What a person can do about a gateway that cannot be reached, where waiting does not help.
fn what_to_do(cause: &str, is_plain: bool, trusts_system: bool) -> Option<&'static str> {
    if is_plain && cause.contains("HTTP") {
        return Some("the address most likely begins with https://");
    }
    if !cause.contains("invalid peer certificate") {
        return None;
    }
    Some(if cause.contains("not valid for name") {
        "use the gateway's own address: it has a certificate for no other"
    } else if !trusts_system {
        "compare the CA that is trusted here with the one that the gateway prints when it starts"
    } else if Bearer::from_env().is_some() {
        "set POSTERN_CA_SHA256, if the gateway has its own CA: it prints the fingerprint when it starts"
    } else {
        "postern login --gateway URL --ca-sha256 HEX, if the gateway has its own CA: it prints the fingerprint when it starts"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_fits_what_is_wrong() {
        let next =
            |cause, is_plain, trusts_system| what_to_do(cause, is_plain, trusts_system).unwrap_or_default();
        let unknown = "invalid peer certificate: UnknownIssuer";
        let misnamed = "invalid peer certificate: certificate not valid for name \"localhost\"";
        assert!(next(unknown, false, true).contains("--ca-sha256"));
        assert!(next(unknown, false, false).contains("compare the CA"));
        assert!(next(misnamed, false, false).contains("own address"), "the CA is the right one");
        assert!(next("invalid HTTP version parsed", true, true).contains("https://"));
        assert_eq!(next("Connection refused", false, true), "", "it may come back");
    }
}
