//! Which codes were redeemed on this node.

use super::{
    HandOverInvalid,
    code::{LASTS, SKEW},
};
use postern_ids::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Codes remembered: more people than this do not arrive within half a minute; who comes then is told to try again.
const USED_MAX: usize = 100_000;

/// Codes that were used, and until when each has to be remembered.
#[derive(Debug, Default)]
pub(super) struct Used(Mutex<HashMap<u128, Timestamp>>);

impl Used {
    /// Notes that the code is used, if it is for the first time.
    pub(super) fn first(&self, code: u128, now: Timestamp) -> Result<(), HandOverInvalid> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.contains_key(&code) {
            return Err(HandOverInvalid::Used);
        }
        if used.len() >= USED_MAX {
            used.retain(|_, until| *until >= now);
            if used.len() >= USED_MAX {
                return Err(HandOverInvalid::Busy);
            }
        }
        used.insert(code, now.plus(LASTS + SKEW));
        drop(used);
        Ok(())
    }
}
