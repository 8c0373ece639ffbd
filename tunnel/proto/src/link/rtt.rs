//! The smallest round trip of the last minutes.

use std::time::{Duration, Instant};

/// A minimum is forgotten after one to two of these. The path under a TCP connection seldom changes, and a minimum
/// that is forgotten under load would count the queue as distance and let windows grow.
const EPOCH: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Rtt {
    last: Option<Duration>,
    this_epoch: Option<Duration>,
    epoch_before: Option<Duration>,
    epoch_at: Instant,
    /// The Ping that was sent and not answered: its token and when it left.
    flying: Option<(u64, Instant)>,
    token: u64,
    sampled_at: Option<Instant>,
}

impl Rtt {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: None,
            this_epoch: None,
            epoch_before: None,
            epoch_at: now,
            flying: None,
            token: 0,
            sampled_at: None,
        }
    }

    pub(super) fn min(&self) -> Option<Duration> {
        [self.this_epoch, self.epoch_before].into_iter().flatten().min()
    }

    pub(super) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Whether the last answer is older than `age` and none is awaited.
    pub(super) fn is_older_than(&self, age: Duration, now: Instant) -> bool {
        self.flying.is_none() && self.sampled_at.is_none_or(|at| now.saturating_duration_since(at) >= age)
    }

    /// A Ping leaves at `now`: its token. One that is still unanswered stays the one that is measured.
    pub(super) fn ping(&mut self, now: Instant) -> u64 {
        if let Some((token, _)) = self.flying {
            return token;
        }
        self.token = self.token.wrapping_add(1);
        self.flying = Some((self.token, now));
        self.token
    }

    pub(super) fn pong(&mut self, token: u64, now: Instant) {
        let Some((_, sent)) = self.flying.take_if(|(flying, _)| *flying == token) else { return };
        let rtt = now.saturating_duration_since(sent);
        self.last = Some(rtt);
        self.sampled_at = Some(now);
        if now.saturating_duration_since(self.epoch_at) >= EPOCH {
            self.epoch_before = self.this_epoch.take();
            self.epoch_at = now;
        }
        self.this_epoch = Some(self.this_epoch.map_or(rtt, |min| min.min(rtt)));
    }
}
