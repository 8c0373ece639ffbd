//! A token bucket over the lanes that a peer opens.

use super::Churn;
use std::time::Instant;

const MILLI: u64 = 1_000;

/// What to do with one more Open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Admit,
    Refuse,
    /// As many were refused in a row as the bucket holds: whoever does that does not listen.
    Close,
}

#[derive(Debug)]
pub(super) struct Bucket {
    rule: Churn,
    /// Thousandths of a token.
    tokens: u64,
    filled: Instant,
    refused: u32,
}

impl Bucket {
    pub(super) fn new(rule: Churn, now: Instant) -> Self {
        Self { rule, tokens: u64::from(rule.burst).saturating_mul(MILLI), filled: now, refused: 0 }
    }

    pub(super) fn take(&mut self, now: Instant) -> Verdict {
        let millis =
            u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        if millis > 0 {
            let more = millis.saturating_mul(u64::from(self.rule.per_second));
            let full = u64::from(self.rule.burst).saturating_mul(MILLI);
            self.tokens = self.tokens.saturating_add(more).min(full);
            self.filled = now;
        }
        if let Some(left) = self.tokens.checked_sub(MILLI) {
            self.tokens = left;
            self.refused = 0;
            return Verdict::Admit;
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused > self.rule.burst { Verdict::Close } else { Verdict::Refuse }
    }
}
