//! The grant keys that a connector believes: those it got when it enrolled, and those that one of them vouched for since.
//!
//! The gateway cannot know which keys a connector pinned, so an announcement is one set of keys, signed by every key that
//! still may announce; the first token of it that a pinned key signed counts.

use crate::{
    Alg, Expect, GrantClaims, KeysClaims, Rejected, SigningKey, TimedKey, Verified, VerifyingKey,
    jws::{self, TOKEN_MAX_BYTES},
    key::KeyError,
    kinds::{GRANT, KEYS, KEYS_AUDIENCE},
};
use postern_ids::Timestamp;

/// Keys in an announcement, and signatures under it: two years of rotation, and with 300 B for each key of each token
/// far below what one frame carries.
pub const ANNOUNCED_MAX: usize = 8;

/// Keys that a connector holds. Keys leave when their time is over; the limit is for a gateway that announces without end.
const PINNED_MAX: usize = 32;

/// Signs `claims` with each of `signers`: what goes into a Keys frame. More signers than [`ANNOUNCED_MAX`] are left out.
pub fn announce<'k>(
    claims: &KeysClaims,
    signers: impl IntoIterator<Item = &'k SigningKey>,
) -> Result<String, KeyError> {
    let signers = signers.into_iter().take(ANNOUNCED_MAX);
    let tokens: Result<Vec<String>, KeyError> = signers.map(|key| jws::mint(&KEYS, claims, key)).collect();
    Ok(tokens?.join("\n"))
}

/// The pinned keys of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKeys {
    issuer: String,
    keys: Vec<TimedKey>,
}

impl PinnedKeys {
    /// The keys that enrolment pinned.
    pub fn new(issuer: &str, keys: Vec<TimedKey>) -> Self {
        Self { issuer: issuer.to_owned(), keys }
    }

    /// The keys, in the order in which they begin to sign.
    pub fn keys(&self) -> &[TimedKey] {
        &self.keys
    }

    fn find(&self, kid: &str, now: Timestamp) -> Option<&VerifyingKey> {
        let held = self.keys.iter().find(|held| held.key.kid() == kid)?;
        (held.has_begun(now) && !held.is_over(now)).then_some(&held.key)
    }

    /// Checks a grant that was addressed to `audience`, the connector's own id.
    pub fn verify_grant(
        &self,
        token: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Verified<GrantClaims>, Rejected> {
        let expect = Expect { issuer: &self.issuer, audience };
        jws::verify_with(&GRANT, token, |kid| self.find(kid, now), expect, now)
    }

    /// Takes over the keys of an announcement that a pinned key signed. Whether that changed anything.
    ///
    /// A key that is announced again gets the times of the announcement. A key that is not announced stays until its end:
    /// gateways of one installation may know different keys for an hour.
    pub fn learn(&mut self, announcement: &[u8], now: Timestamp) -> Result<bool, Rejected> {
        let announced = self.verify(announcement, now)?.into_inner().keys;
        if announced.is_empty() || announced.len() > ANNOUNCED_MAX {
            return Err(Rejected::ClaimFormat);
        }
        if announced.iter().any(|held| held.key.alg() != Alg::EdDsa) {
            return Err(Rejected::AlgKeyMismatch);
        }
        let is_announced = |held: &TimedKey| announced.iter().any(|other| other.key == held.key);
        let others = self.keys.iter().filter(|held| !is_announced(held)).cloned();
        let mut next: Vec<TimedKey> = others.chain(announced.iter().cloned()).collect();
        next.retain(|held| !held.is_over(now));
        next.sort_by(|a, b| (a.not_before, a.key.kid()).cmp(&(b.not_before, b.key.kid())));
        if next.is_empty() {
            return Err(Rejected::Expired);
        }
        if next.len() > PINNED_MAX {
            return Err(Rejected::TooLarge);
        }
        let is_new = next != self.keys;
        self.keys = next;
        Ok(is_new)
    }

    /// The first token of the announcement that a pinned key signed; else why the most promising one does not count.
    fn verify(&self, announcement: &[u8], now: Timestamp) -> Result<Verified<KeysClaims>, Rejected> {
        if announcement.len() > ANNOUNCED_MAX * (TOKEN_MAX_BYTES + 1) {
            return Err(Rejected::TooLarge);
        }
        let text = std::str::from_utf8(announcement).map_err(|_| Rejected::Malformed)?;
        let expect = Expect { issuer: &self.issuer, audience: KEYS_AUDIENCE };
        let mut why = Rejected::KidUnknown;
        for token in text.split('\n').take(ANNOUNCED_MAX) {
            match jws::verify_with(&KEYS, token, |kid| self.find(kid, now), expect, now) {
                Ok(verified) => return Ok(verified),
                Err(Rejected::KidUnknown) => {}
                Err(rejected) => why = rejected,
            }
        }
        Err(why)
    }
}
