//! The challenge that a dialing connector must sign: our time, sealed under a key of this process, good once and for 30 s
//! (the pattern of RFC 9449 section 8). It needs no database and trusts no clock but ours.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use postern_ids::Timestamp;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a challenge may be answered: one more request on a connection that is open already.
const LIFETIME: Duration = Duration::from_secs(30);
/// Answered challenges remembered at once, about 64 B each. Only a correctly signed dial takes a place, so it bounds
/// connectors that dial 2,000 times a second; beyond it dials are told to come back.
const ANSWERED_MAX: usize = 65_536;
const TIME_LEN: usize = 8;
const ENTROPY_LEN: usize = 16;
const BODY_LEN: usize = TIME_LEN + ENTROPY_LEN;
const TAG_LEN: usize = 16;

/// Why a challenge is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Not one of this process.
    #[error("the nonce is not ours")]
    Foreign,
    /// Too old.
    #[error("the nonce has expired")]
    Expired,
    /// Answered before.
    #[error("the nonce was used before")]
    Used,
    /// Too many were answered within their lifetime.
    #[error("too many dials")]
    TooMany,
}

/// Makes challenges and accepts each once.
#[derive(Debug)]
pub struct Challenges {
    key: hmac::Key,
    answered: Mutex<Answered>,
}

#[derive(Debug, Default)]
struct Answered {
    known: HashSet<[u8; BODY_LEN]>,
    oldest_first: VecDeque<(Timestamp, [u8; BODY_LEN])>,
}

impl Challenges {
    /// With a key that lives as long as the process.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), answered: Mutex::default() }
    }

    /// A challenge made at `now`.
    pub fn issue(&self, entropy: [u8; ENTROPY_LEN], now: Timestamp) -> String {
        let mut sealed = now.as_micros().to_be_bytes().to_vec();
        sealed.extend_from_slice(&entropy);
        let tag = hmac::sign(&self.key, &sealed);
        sealed.extend(tag.as_ref().iter().take(TAG_LEN));
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Accepts a challenge that was answered correctly; the same one never again.
    pub fn accept(&self, nonce: &str, now: Timestamp) -> Result<(), ChallengeError> {
        let body = self.open(nonce).ok_or(ChallengeError::Foreign)?;
        let issued = issued_at(&body);
        if now.since(issued) > LIFETIME {
            return Err(ChallengeError::Expired);
        }
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.forget_expired(now);
        if answered.known.len() >= ANSWERED_MAX {
            return Err(ChallengeError::TooMany);
        }
        if !answered.known.insert(body) {
            return Err(ChallengeError::Used);
        }
        answered.oldest_first.push_back((now, body));
        Ok(())
    }

    fn open(&self, nonce: &str) -> Option<[u8; BODY_LEN]> {
        let sealed = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (body, tag) = sealed.split_first_chunk::<BODY_LEN>()?;
        let expected = hmac::sign(&self.key, body);
        let expected = expected.as_ref().first_chunk::<TAG_LEN>()?;
        let tag: &[u8; TAG_LEN] = tag.try_into().ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(tag, expected).ok()?;
        Some(*body)
    }
}

impl Answered {
    fn forget_expired(&mut self, now: Timestamp) {
        // Remembered from its answer on, a challenge is forgotten only after it could not be answered any more.
        while let Some((at, body)) = self.oldest_first.front()
            && now.since(*at) > LIFETIME
        {
            self.known.remove(body);
            self.oldest_first.pop_front();
        }
    }
}

fn issued_at(body: &[u8; BODY_LEN]) -> Timestamp {
    let micros = body.first_chunk::<TIME_LEN>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_challenge_is_good_once_and_for_thirty_seconds() {
        let challenges = Challenges::new([1; 32]);
        let (first, late) = (challenges.issue([1; 16], NOW), challenges.issue([2; 16], NOW));
        assert_eq!(challenges.accept(&first, after(30)), Ok(()));
        assert_eq!(challenges.accept(&first, after(30)), Err(ChallengeError::Used));
        assert_eq!(challenges.accept(&late, after(31)), Err(ChallengeError::Expired));
        assert_eq!(challenges.accept(&first, after(100)), Err(ChallengeError::Expired));
    }

    #[test]
    fn a_challenge_of_another_process_or_with_a_changed_time_is_foreign() {
        let (ours, theirs) = (Challenges::new([1; 32]), Challenges::new([2; 32]));
        assert_eq!(ours.accept(&theirs.issue([1; 16], NOW), NOW), Err(ChallengeError::Foreign));
        let mut changed = URL_SAFE_NO_PAD.decode(ours.issue([1; 16], NOW)).unwrap_or_default();
        changed[7] ^= 1;
        assert_eq!(ours.accept(&URL_SAFE_NO_PAD.encode(changed), NOW), Err(ChallengeError::Foreign));
        for bad in ["", "AAAA", "ü", &"A".repeat(10_000)] {
            assert_eq!(ours.accept(bad, NOW), Err(ChallengeError::Foreign));
        }
    }

    #[test]
    fn the_table_of_answered_challenges_is_bounded_and_empties_itself() {
        let challenges = Challenges::new([1; 32]);
        let accept = |i: u128, now| challenges.accept(&challenges.issue(i.to_be_bytes(), now), now);
        assert!((0..ANSWERED_MAX as u128).all(|i| accept(i, NOW).is_ok()));
        assert_eq!(accept(u128::MAX, NOW), Err(ChallengeError::TooMany));
        assert_eq!(accept(u128::MAX, after(31)), Ok(()));
    }
}
