//! What went wrong, whose fault it is and what to do next (RFC 9457, `application/problem+json`).

use postern_ids::DecisionId;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// Every kind of problem. The code is stable; programs act on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ProblemCode { $($(#[$doc])* $variant,)* }

        impl ProblemCode {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in JSON.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The short, unchanging summary.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read.
    BadRequest = "bad_request", 400, "The request is malformed";
    /// No credentials, or credentials that are no longer good.
    Unauthenticated = "unauthenticated", 401, "You are not signed in";
    /// The one-time secret was good, and somebody has used it.
    Replayed = "replayed", 401, "The token was used before";
    /// Signed in, but not permitted.
    Denied = "denied", 403, "You may not do this";
    /// The request did not come from our own page.
    Csrf = "csrf", 403, "The request did not come from this site";
    /// No connector with this id and key is enrolled.
    ConnectorUnknown = "connector_unknown", 403, "This connector is not enrolled";
    /// The connector was revoked.
    ConnectorRevoked = "connector_revoked", 403, "This connector was revoked";
    /// The one-time secret is unknown, revoked or expired.
    TokenSpent = "token_spent", 403, "The token is unknown, revoked or expired";
    /// There is no such object, or it may not be seen.
    NotFound = "not_found", 404, "There is no such object";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    /// The body did not arrive in time.
    TooSlow = "too_slow", 408, "The request did not arrive in time";
    /// The object changed since it was read.
    Conflict = "conflict", 409, "The object has changed meanwhile";
    /// The field cannot change after creation.
    ImmutableField = "immutable_field", 409, "The field cannot be changed";
    /// The object is still in use by others.
    InUse = "in_use", 409, "The object is still in use";
    /// The change would leave nobody who can administer.
    LastOwner = "last_owner", 409, "There must be at least one owner";
    /// The body is larger than the limit.
    TooLarge = "too_large", 413, "The request is too large";
    /// The body is not JSON, or is encoded.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be plain JSON";
    /// A field that does not exist here.
    UnknownField = "unknown_field", 422, "The request has an unknown field";
    /// A value that is not acceptable.
    Invalid = "invalid", 422, "A value is not acceptable";
    /// Too many requests of this kind by this caller.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// The queue for expensive work is full.
    Busy = "busy", 429, "The gateway is busy";
    /// Our own fault.
    Internal = "internal", 500, "The gateway failed";
    /// The store cannot be reached.
    Unavailable = "unavailable", 503, "The gateway cannot reach its store";
    /// The policy snapshot is too old to decide on.
    PolicyStale = "policy_stale", 503, "The policy is out of date";
    /// The gateway is stopping.
    Draining = "draining", 503, "The gateway is restarting";
}

/// A problem as the peer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`: the code says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's summary.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: ProblemCode,
    /// What happened here, in a sentence.
    pub detail: String,
    /// What to do now, in a sentence.
    pub next: String,
    /// The decision behind a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// Every single mistake, where there can be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

impl Problem {
    /// A problem with this code, what happened, and what to do next.
    pub fn new(code: ProblemCode, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            next: next.into(),
            decision: None,
            errors: Vec::new(),
        }
    }

    /// The same problem, naming the decision behind it.
    #[must_use]
    pub fn with_decision(mut self, decision: DecisionId) -> Self {
        self.decision = Some(decision);
        self
    }

    /// The same problem, listing every mistake.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<String>) -> Self {
        self.errors = errors;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spelled_the_same_in_json_and_in_code() {
        for &code in ProblemCode::ALL {
            assert_eq!(serde_json::to_value(code).ok(), Some(code.code().into()));
        }
    }
}
