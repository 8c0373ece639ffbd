//! What became of sessions that are not held any more, for as long as somebody may still ask or tell about them.

use postern_ids::{Ended, SessionId};
use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// As long as the longest window of a connector, and what news may take on the way.
const REMEMBERED: Duration = Duration::from_secs(3_630);
/// Sessions remembered, about 80 B each. At the limit the oldest are forgotten: a stream of theirs that a connector still
/// held would be decided again like any other.
const PASTS_MAX: usize = 262_144;

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// It ended here.
    Ended(Ended),
    /// It went on elsewhere, after this attempt.
    Moved(u32),
}

/// The sessions of the last hour.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    known: HashMap<SessionId, (Past, Instant)>,
    oldest_first: VecDeque<(SessionId, Instant)>,
}

impl Pasts {
    pub(super) fn of(&self, session: SessionId) -> Option<Past> {
        self.known.get(&session).map(|(past, _)| *past)
    }

    pub(super) fn remember(&mut self, session: SessionId, past: Past, now: Instant) {
        self.forget(now);
        let past = match (self.of(session), past) {
            // An end stays an end, whatever is heard later.
            (Some(Past::Ended(_)), _) => return,
            // Links race each other: what is heard last may be older.
            (Some(Past::Moved(known)), Past::Moved(told)) => Past::Moved(known.max(told)),
            (Some(Past::Moved(_)) | None, past) => past,
        };
        self.known.insert(session, (past, now));
        self.oldest_first.push_back((session, now));
    }

    fn forget(&mut self, now: Instant) {
        while let Some((session, at)) = self.oldest_first.front().copied()
            && (self.oldest_first.len() >= PASTS_MAX || now.saturating_duration_since(at) > REMEMBERED)
        {
            self.oldest_first.pop_front();
            // Remembered anew since, it has a later place in the queue.
            if self.known.get(&session).is_some_and(|(_, latest)| *latest == at) {
                self.known.remove(&session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    fn session(n: u32) -> SessionId {
        let [a, b, c, d] = n.to_be_bytes();
        SessionId::mint(Timestamp::EPOCH, [0, 0, 0, 0, 0, 0, a, b, c, d])
    }

    #[test]
    fn an_end_is_remembered_for_the_longest_window_and_outranks_a_move() {
        let (mut pasts, now) = (Pasts::default(), Instant::now());
        pasts.remember(session(1), Past::Moved(3), now);
        pasts.remember(session(1), Past::Ended(Ended::Revoked), now);
        pasts.remember(session(1), Past::Moved(4), now);
        pasts.remember(session(2), Past::Moved(1), now + REMEMBERED);
        assert_eq!(pasts.of(session(1)), Some(Past::Ended(Ended::Revoked)));
        pasts.remember(session(2), Past::Moved(0), now + REMEMBERED);
        assert_eq!(pasts.of(session(2)), Some(Past::Moved(1)), "what is heard later may be older");
        pasts.remember(session(3), Past::Moved(1), now + REMEMBERED + Duration::from_secs(1));
        assert_eq!(pasts.of(session(1)), None);
        assert_eq!(pasts.of(session(2)), Some(Past::Moved(1)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut pasts, now) = (Pasts::default(), Instant::now());
        for n in 0..u32::try_from(PASTS_MAX).unwrap_or(u32::MAX) + 10 {
            pasts.remember(session(n), Past::Ended(Ended::Finished), now);
        }
        assert!(pasts.known.len() <= PASTS_MAX && pasts.oldest_first.len() <= PASTS_MAX);
        assert_eq!(pasts.of(session(0)), None);
    }
}
