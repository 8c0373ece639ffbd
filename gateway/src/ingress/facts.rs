//! Facts behind credentials, kept for a moment so that neither a dial nor a request depends on the store each time. What
//! ends a credential early reaches a node through the snapshot, never through this cache.

use postern_store::StoreError;
use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Facts kept, about 150 B each.
const KEPT_MAX: usize = 16_384;
/// After this long the store is asked again, if it is there.
const FRESH_FOR: Duration = Duration::from_secs(30);
/// The longest that anybody waits for the store (D4).
const READ_MAX: Duration = Duration::from_secs(1);

/// The store did not answer, and it was not asked about this credential before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store is away and has not been asked about this credential before")]
pub(in crate::ingress) struct Unavailable;

/// Facts by credential.
#[derive(Debug)]
pub(in crate::ingress) struct FactCache<K, F> {
    kept: Mutex<HashMap<K, (F, Instant)>>,
    fresh_for: Duration,
}

impl<K, F> Default for FactCache<K, F> {
    fn default() -> Self {
        Self { kept: Mutex::default(), fresh_for: FRESH_FOR }
    }
}

impl<K: Eq + Hash + Copy, F: Clone> FactCache<K, F> {
    /// For facts that do not change under their key: the store is asked once.
    pub(in crate::ingress) fn lasting() -> Self {
        Self { kept: Mutex::default(), fresh_for: Duration::MAX }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (F, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The facts of `key`: the kept ones while they are fresh, else what the store says, else the kept ones.
    pub(in crate::ingress) async fn get<R>(
        &self,
        key: K,
        read: impl FnOnce() -> R,
        now: Instant,
    ) -> Result<Option<F>, Unavailable>
    where
        R: Future<Output = Result<Option<F>, StoreError>>,
    {
        let kept = self.lock().get(&key).cloned();
        if let Some((facts, at)) = &kept
            && now.saturating_duration_since(*at) < self.fresh_for
        {
            return Ok(Some(facts.clone()));
        }
        match tokio::time::timeout(READ_MAX, Box::pin(read())).await {
            Ok(Ok(Some(facts))) => {
                self.keep(key, facts.clone(), now);
                Ok(Some(facts))
            }
            Ok(Ok(None)) => {
                self.lock().remove(&key);
                Ok(None)
            }
            Ok(Err(_)) | Err(_) => kept.map(|(facts, _)| Some(facts)).ok_or(Unavailable),
        }
    }

    fn keep(&self, key: K, facts: F, now: Instant) {
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.retain(|_, (_, at)| now.saturating_duration_since(*at) < self.fresh_for);
            let any = kept.keys().next().copied();
            if kept.len() >= KEPT_MAX {
                any.map(|any| kept.remove(&any));
            }
        }
        kept.insert(key, (facts, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> StoreError {
        StoreError::Unavailable("no database".into())
    }

    #[tokio::test]
    async fn f05_known_facts_outlive_the_store_and_unknown_ones_are_unavailable() {
        let (cache, now) = (FactCache::default(), Instant::now());
        assert_eq!(cache.get(1, || async { Ok(Some("facts")) }, now).await, Ok(Some("facts")));
        let later = now + FRESH_FOR * 2;
        assert_eq!(cache.get(1, || async { Err(away()) }, later).await, Ok(Some("facts")));
        assert_eq!(cache.get(2, || async { Err(away()) }, later).await, Err(Unavailable));
    }

    #[tokio::test]
    async fn facts_that_are_gone_are_forgotten() {
        let (cache, now) = (FactCache::default(), Instant::now());
        assert_eq!(cache.get(1, || async { Ok(Some("facts")) }, now).await, Ok(Some("facts")));
        let later = now + FRESH_FOR;
        assert_eq!(cache.get(1, || async { Ok(None) }, later).await, Ok(None));
        assert_eq!(cache.get(1, || async { Err(away()) }, later).await, Err(Unavailable));
    }
}
