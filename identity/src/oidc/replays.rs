//! Tokens that are good once.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Token ids remembered: more logouts than this within the age of a token and the oldest could be replayed, which ends what has
/// ended already.
const REPLAYS_MAX: usize = 10_000;

/// Ids of logout tokens that were used.
#[derive(Debug, Default)]
pub(super) struct Replays(Mutex<(HashSet<String>, VecDeque<String>)>);

impl Replays {
    /// Whether this id is used for the first time.
    pub(super) fn is_first(&self, jti: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ids, order) = &mut *seen;
        if !ids.insert(jti.to_owned()) {
            return false;
        }
        order.push_back(jti.to_owned());
        if order.len() > REPLAYS_MAX
            && let Some(oldest) = order.pop_front()
        {
            ids.remove(&oldest);
        }
        true
    }
}
