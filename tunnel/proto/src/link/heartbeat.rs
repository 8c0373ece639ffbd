//! When silence or a stuck write means that the link is dead.

use super::Heartbeat;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Pulse {
    rule: Heartbeat,
    made: Instant,
    heard: Instant,
    /// When a Ping was asked for in this silence. A process that slept through the silence asks first, too.
    asked: Option<Instant>,
    /// The last progress of a write that is not done.
    writing: Option<Instant>,
}

/// What the timers found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    Fine,
    Ping,
    NoHello,
    Silent,
    Stuck,
}

impl Pulse {
    pub(super) fn new(rule: Heartbeat, now: Instant) -> Self {
        Self { rule, made: now, heard: now, asked: None, writing: None }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    pub(super) fn writing(&mut self, now: Instant) {
        self.writing = Some(now);
    }

    pub(super) fn progress(&mut self, now: Instant) {
        if let Some(at) = &mut self.writing {
            *at = now;
        }
    }

    pub(super) fn written(&mut self) {
        self.writing = None;
    }

    pub(super) fn deadline(&self, established: bool) -> Instant {
        let silence = match (established, self.asked) {
            (false, _) => self.made + self.rule.handshake,
            (true, None) => self.heard + self.rule.ping_after,
            (true, Some(asked)) => asked + self.patience(),
        };
        self.writing.map_or(silence, |at| silence.min(at + self.rule.stuck_after))
    }

    pub(super) fn check(&mut self, established: bool, now: Instant) -> Finding {
        if self.writing.is_some_and(|at| now >= at + self.rule.stuck_after) {
            return Finding::Stuck;
        }
        if !established {
            return if now >= self.made + self.rule.handshake { Finding::NoHello } else { Finding::Fine };
        }
        match self.asked {
            Some(asked) if now >= asked + self.patience() => Finding::Silent,
            None if now >= self.heard + self.rule.ping_after => {
                self.asked = Some(now);
                Finding::Ping
            }
            Some(_) | None => Finding::Fine,
        }
    }

    /// How long an answer to a Ping may take.
    fn patience(&self) -> Duration {
        self.rule.dead_after.saturating_sub(self.rule.ping_after)
    }
}
