//! Which sign-ins were used lately, as far as this gateway knows: written down now and then, for the whole fleet to see.

use postern_ids::{SignInId, Timestamp};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often the use of one sign-in is written down.
const WRITTEN_EVERY: Duration = Duration::from_secs(300);

/// Sign-ins between two writings; of more than these some are written down at their next use.
const SEEN_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    seen: HashSet<SignInId>,
    written: HashMap<SignInId, Timestamp>,
}

impl Uses {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came with this sign-in.
    pub(crate) fn note(&self, sign_in: SignInId) {
        let mut inner = self.inner();
        if inner.seen.len() < SEEN_MAX {
            inner.seen.insert(sign_in);
        }
    }

    /// What has to be written down: what was noted and what is `live`, except what was written lately.
    pub(crate) fn to_write(&self, live: Vec<SignInId>, now: Timestamp) -> Vec<SignInId> {
        let mut inner = self.inner();
        // A clock that was set back writes once too often, rather than never.
        inner.written.retain(|_, at| now.since(*at) < WRITTEN_EVERY && *at <= now);
        let mut seen = std::mem::take(&mut inner.seen);
        seen.extend(live);
        seen.retain(|sign_in| !inner.written.contains_key(sign_in));
        seen.into_iter().collect()
    }

    /// They were written down.
    pub(crate) fn written(&self, sign_ins: &[SignInId], now: Timestamp) {
        self.inner().written.extend(sign_ins.iter().map(|sign_in| (*sign_in, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_down_once_in_five_minutes_and_again_when_writing_failed() {
        let uses = Uses::default();
        let at = |secs: i64| Timestamp::from_secs(1_800_000_000 + secs);
        let [a, b] = [1, 2].map(|n| SignInId::from_bytes([n; 16]));
        uses.note(a);
        uses.note(a);
        assert_eq!(uses.to_write(vec![a], at(0)), [a]);
        assert_eq!(uses.to_write(vec![a], at(1)), [a], "it was not written");
        uses.written(&[a], at(1));
        uses.note(a);
        assert_eq!(uses.to_write(vec![a, b], at(299)), [b]);
        assert_eq!(uses.to_write(vec![a], at(301)), [a]);
        assert!(uses.to_write(Vec::new(), at(302)).is_empty(), "nobody used it");
        uses.written(&[a], at(302));
        assert_eq!(uses.to_write(vec![a], at(-3600)), [a], "the clock was set back");
    }
}
