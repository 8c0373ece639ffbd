//! Why there is no session, or why one does not go on.

use postern_ids::{DecisionId, Ended, Refusal};
use std::borrow::Cow;

/// Why there is no session.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The one word for it.
    pub refusal: Refusal,
    /// How the session ended that was to go on; its code is then the answer.
    pub ended: Option<Ended>,
    /// The decision to show, where there was one.
    pub decision: Option<DecisionId>,
    /// One sentence for a person.
    pub message: Cow<'static, str>,
}

impl Refused {
    /// A refusal before any decision.
    pub const fn early(refusal: Refusal) -> Self {
        Self { refusal, ended: None, decision: None, message: Cow::Borrowed(refusal.sentence()) }
    }

    /// The session that was to go on has ended.
    pub const fn over(ended: Ended) -> Self {
        let message = Cow::Borrowed(ended.sentence());
        Self { refusal: Refusal::ResumeUnknown, ended: Some(ended), decision: None, message }
    }

    /// A refusal that a decision led to.
    pub fn decided(refusal: Refusal, decision: DecisionId, message: impl Into<Cow<'static, str>>) -> Self {
        Self { refusal, ended: None, decision: Some(decision), message: message.into() }
    }

    /// The code that the client is told.
    pub fn code(&self) -> u16 {
        self.ended.map_or(self.refusal.code(), Ended::code)
    }

    /// The word for logs and metrics.
    pub fn label(&self) -> &'static str {
        self.ended.map_or(self.refusal.label(), Ended::label)
    }
}
