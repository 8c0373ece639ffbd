//! When a provider's keys are fetched, and how long they are believed: a rotation without overlap is noticed at once, an
//! outage is survived, and a flood of made-up key ids costs the provider nothing (J13).

use std::time::{Duration, Instant};

/// One fetch in this time, whatever happens.
const FETCH_EVERY_MIN: Duration = Duration::from_secs(10);
/// A key that the provider has removed is believed no longer than this while the provider answers.
const FRESH_FOR: Duration = Duration::from_secs(300);
/// Known keys are believed this long while the provider is away.
const STALE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The keys of one provider, with their age.
#[derive(Debug)]
pub(super) struct KeyCache<K> {
    kept: Option<(K, Instant)>,
    tried_at: Option<Instant>,
}

impl<K> Default for KeyCache<K> {
    fn default() -> Self {
        Self { kept: None, tried_at: None }
    }
}

/// What to do for a token with some key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Take the keys that are there.
    Use,
    /// Fetch first; if that fails, ask again.
    Fetch,
    /// There are no keys for it, and none may be fetched yet.
    Refuse,
}

impl<K> KeyCache<K> {
    /// The plan for a token whose key is, or is not, among the keys that are there.
    pub(super) fn plan(&self, is_known: impl Fn(&K) -> bool, now: Instant) -> Plan {
        let may_fetch = self.may_fetch(now);
        let Some((keys, at)) = &self.kept else {
            return if may_fetch { Plan::Fetch } else { Plan::Refuse };
        };
        let age = now.saturating_duration_since(*at);
        match (is_known(keys), may_fetch) {
            (true, _) if age < FRESH_FOR => Plan::Use,
            (_, true) => Plan::Fetch,
            (true, false) if age < STALE_MAX => Plan::Use,
            (_, false) => Plan::Refuse,
        }
    }

    /// Whether the provider may be asked.
    pub(super) fn may_fetch(&self, now: Instant) -> bool {
        self.tried_at.is_none_or(|at| now.saturating_duration_since(at) >= FETCH_EVERY_MIN)
    }

    /// A fetch begins.
    pub(super) fn trying(&mut self, now: Instant) {
        self.tried_at = Some(now);
    }

    /// A fetch brought the provider's keys of this moment: what is not among them is gone.
    pub(super) fn keep(&mut self, keys: K, now: Instant) {
        self.kept = Some((keys, now));
    }

    /// The keys that are there.
    pub(super) fn keys(&self) -> Option<&K> {
        self.kept.as_ref().map(|(keys, _)| keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn j13_a_flood_of_unknown_keys_leads_to_one_fetch_in_ten_seconds() {
        let (mut cache, start) = (KeyCache::<&str>::default(), Instant::now());
        let mut fetches = 0;
        for ms in 0..60_000_u64 {
            let now = start + Duration::from_millis(ms);
            if cache.plan(|_| false, now) == Plan::Fetch {
                fetches += 1;
                cache.trying(now);
                cache.keep("a", now);
            }
        }
        assert_eq!(fetches, 6, "right after start-up too");
    }

    #[test]
    fn f23_an_unknown_key_is_fetched_at_once_and_a_removed_one_is_gone_within_five_minutes() {
        let (mut cache, start) = (KeyCache::default(), Instant::now());
        cache.trying(start);
        cache.keep("old", start);
        let knows = |key: &'static str| move |keys: &&str| *keys == key;
        let later = start + after(11);
        assert_eq!(cache.plan(knows("new"), later), Plan::Fetch);
        cache.trying(later);
        cache.keep("new", later);
        assert_eq!(cache.plan(knows("new"), later), Plan::Use);
        assert_eq!(cache.plan(knows("old"), later + after(1)), Plan::Refuse);
        assert_eq!(
            cache.plan(knows("new"), later + after(300)),
            Plan::Fetch,
            "asks whether it is still there"
        );
    }

    #[test]
    fn j13_known_keys_survive_an_outage_of_a_day_and_no_longer() {
        let (mut cache, start) = (KeyCache::default(), Instant::now());
        cache.trying(start);
        cache.keep("a", start);
        let while_away = |seconds: u64, cache: &mut KeyCache<&str>| {
            let now = start + after(seconds);
            assert_eq!(cache.plan(|_| true, now), Plan::Fetch);
            // The fetch fails: nothing is kept.
            cache.trying(now);
            cache.plan(|_| true, now)
        };
        assert_eq!(while_away(600, &mut cache), Plan::Use);
        assert_eq!(while_away(86_000, &mut cache), Plan::Use);
        assert_eq!(while_away(86_500, &mut cache), Plan::Refuse);
        assert_eq!(cache.plan(|_| false, start + after(86_501)), Plan::Refuse);
    }
}
