//! How a command ends when it does not succeed: one sentence, what to do next, and an exit code that scripts can read.

use postern_api::{Problem, ProblemCode, tunnel::RefusedDetail};
use postern_ids::{DecisionId, Ended, Refusal};
use std::fmt;

/// Exit codes (sysexits); the command uses no others, except that `postern ssh` and `postern curl` end with those of ssh and curl.
pub mod code {
    /// The command line or a file is wrong.
    pub const USAGE: u8 = 64;
    /// There is no such thing, or you may not know of it.
    pub const NOT_FOUND: u8 = 69;
    /// Try again later.
    pub const UNAVAILABLE: u8 = 75;
    /// Not signed in, or not permitted.
    pub const DENIED: u8 = 77;
}

/// What everything begins with that the command says of its own failure.
pub(crate) const PREFIX: &str = "postern: ";

/// Why a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What happened, without a final full stop.
    pub sentence: String,
    /// The decision behind it.
    pub decision: Option<DecisionId>,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(code: u8, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into().trim_end_matches('.').to_owned();
        Self { code, sentence, decision: None, next: None }
    }

    /// Wrong usage.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new(code::USAGE, sentence)
    }

    /// Something that may work later.
    pub fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(code::UNAVAILABLE, sentence)
    }

    /// Nobody is signed in.
    pub fn signed_out(sentence: impl Into<String>) -> Self {
        Self::new(code::DENIED, sentence).then("postern login")
    }

    /// The failure of a program that said itself what went wrong.
    pub fn silent(code: u8) -> Self {
        Self::new(code, "")
    }

    /// Whether there is anything to say.
    pub fn is_silent(&self) -> bool {
        self.sentence.is_empty()
    }

    /// The same failure, with what to do next.
    #[must_use]
    pub fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same failure; if something named was not there, with the list that has it.
    #[must_use]
    pub fn missing(self, list: impl Into<String>) -> Self {
        if self.code == code::NOT_FOUND { self.then(list) } else { self }
    }

    /// A lane that the gateway refused; one that was to go on with a session that is over is refused with its end.
    pub fn refused(code: u16, detail: &[u8]) -> Self {
        let refusal = Refusal::from_code(code);
        let known = refusal
            .map(|refusal| (refusal.exit_code(), refusal.sentence()))
            .or(Ended::from_code(code).map(|ended| (ended.exit_code(), ended.sentence())));
        let exit = known.map_or(code::UNAVAILABLE, |(exit, _)| exit);
        let detail: Option<RefusedDetail> = serde_json::from_slice(detail).ok();
        let told = detail.as_ref().map(|detail| detail.message.as_str()).filter(|text| !text.is_empty());
        let sentence = told
            .or(known.map(|(_, sentence)| sentence))
            .map_or_else(|| format!("the gateway refused with code {code}"), printable);
        let decision = detail.and_then(|detail| detail.decision);
        let next = match (refusal, decision) {
            (_, Some(decision)) => Some(format!("postern explain {decision}")),
            (Some(Refusal::Unauthenticated), None) => Some("postern login".to_owned()),
            (Some(Refusal::NoSuchResource | Refusal::Revoked), None) => Some("postern ls".to_owned()),
            _ => Ended::from_code(code).and_then(after).map(str::to_owned),
        };
        Self { decision, next, ..Self::new(exit, sentence) }
    }

    /// A session that ended otherwise than in order; one that could not go on ends with the code of a refusal.
    pub fn ended(code: u16) -> Self {
        match (Ended::from_code(code), Refusal::from_code(code)) {
            (Some(ended), _) => {
                let next = after(ended).map(str::to_owned);
                Self { next, ..Self::new(ended.exit_code(), ended.sentence()) }
            }
            (None, Some(refusal)) => Self::new(refusal.exit_code(), refusal.sentence()),
            (None, None) => Self::unavailable(format!("the session ended with code {code}")),
        }
    }

    /// A problem that the API answered with.
    pub fn problem(problem: &Problem) -> Self {
        let mut sentence = printable(&problem.detail);
        for error in &problem.errors {
            sentence.push_str("\n  - ");
            sentence.push_str(&printable(error));
        }
        let next = match problem.decision {
            Some(decision) => format!("postern explain {decision}"),
            None => printable(&problem.next),
        };
        let next = Some(next).filter(|next| !next.is_empty());
        Self { decision: problem.decision, next, ..Self::new(exit_code(problem.code), sentence) }
    }
}

/// What a person can do who lost a session for good; where it may work again, a retry is obvious.
const fn after(ended: Ended) -> Option<&'static str> {
    match ended {
        Ended::Revoked => Some("postern ls"),
        Ended::Expired | Ended::SignedOut => Some("postern login"),
        Ended::Finished
        | Ended::GatewayStopped
        | Ended::ClientViolation
        | Ended::ConnectorViolation
        | Ended::ClientLost
        | Ended::ConnectorLost
        | Ended::TargetFailed
        | Ended::UserDisabled
        | Ended::EndedByAdmin
        | Ended::EndedByPrincipal
        | Ended::PolicyStale
        | Ended::Limit
        | Ended::ResumeFailed
        | Ended::NotOpened
        | Ended::Lost => None,
    }
}

fn exit_code(problem: ProblemCode) -> u8 {
    match problem {
        ProblemCode::NotFound => code::NOT_FOUND,
        ProblemCode::Unauthenticated
        | ProblemCode::Replayed
        | ProblemCode::Denied
        | ProblemCode::Csrf
        | ProblemCode::ConnectorUnknown
        | ProblemCode::ConnectorRevoked
        | ProblemCode::TokenSpent => code::DENIED,
        ProblemCode::Conflict
        | ProblemCode::RateLimited
        | ProblemCode::Busy
        | ProblemCode::Internal
        | ProblemCode::Unavailable
        | ProblemCode::PolicyStale
        | ProblemCode::Draining
        | ProblemCode::TooSlow => code::UNAVAILABLE,
        ProblemCode::BadRequest
        | ProblemCode::MethodNotAllowed
        | ProblemCode::ImmutableField
        | ProblemCode::InUse
        | ProblemCode::LastOwner
        | ProblemCode::TooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::UnknownField
        | ProblemCode::Invalid => code::USAGE,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.sentence)?;
        if let Some(decision) = self.decision {
            write!(f, " ({decision})")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}

/// What a peer sent, fit for a terminal: no control characters that could move its cursor or change its title.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    #[test]
    fn a_denial_says_one_sentence_the_decision_and_what_to_do_next() {
        let decision = DecisionId::mint(Timestamp::EPOCH, [1; 10]);
        let detail = RefusedDetail {
            decision: Some(decision),
            message: "no rule allows alice to connect to db.".into(),
        };
        let failure = Failure::refused(Refusal::Denied.code(), &detail.to_json());
        assert_eq!(failure.code, code::DENIED);
        assert_eq!(
            failure.to_string(),
            format!(
                "postern: no rule allows alice to connect to db ({decision})\n  next: postern explain {decision}"
            )
        );
    }

    #[test]
    fn each_refusal_and_end_has_one_of_the_documented_exit_codes() {
        for &refusal in Refusal::ALL {
            let failure = Failure::refused(refusal.code(), b"");
            assert!([64, 69, 75, 77].contains(&failure.code), "{failure}");
        }
        assert_eq!(Failure::refused(Refusal::NoSuchResource.code(), b"").code, 69);
        assert_eq!(Failure::refused(9_999, b"garbage").code, 75);
        assert_eq!(
            Failure::refused(Ended::EndedByAdmin.code(), b""),
            Failure::ended(Ended::EndedByAdmin.code()),
            "a session that ended while it was detached"
        );
        assert_eq!(Failure::ended(Ended::Revoked.code()).code, 77);
        assert_eq!(Failure::ended(Ended::ConnectorLost.code()).code, 75);
        assert_eq!(Failure::ended(Refusal::ProofFailed.code()).code, 77);
    }

    #[test]
    fn a_peer_cannot_write_control_characters_to_the_terminal() {
        let detail = RefusedDetail { decision: None, message: "\u{1b}]0;owned\u{7}".into() };
        let failure = Failure::refused(Refusal::Denied.code(), &detail.to_json());
        assert!(!failure.to_string().contains('\u{1b}'));
    }
}
