//! A public key and the time in which it signs, as gateways announce it and connectors keep it.

use crate::{
    VerifyingKey,
    jws::{self, SKEW},
    key::KeyError,
};
use postern_ids::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// A public key with the time in which its signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedKey {
    /// The key.
    pub key: VerifyingKey,
    /// When it begins to sign; nothing for a key that may already.
    pub not_before: Option<Timestamp>,
    /// When it is over; nothing for a key whose end was not told yet.
    pub expires: Option<Timestamp>,
}

impl TimedKey {
    /// The key as a JSON Web Key that also says `nbf` and `exp`.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = self.key.to_jwk();
        for (member, at) in [("nbf", self.not_before), ("exp", self.expires)] {
            if let (Some(at), Some(jwk)) = (at, jwk.as_object_mut()) {
                jwk.insert(member.to_owned(), at.as_secs().into());
            }
        }
        jwk
    }

    /// Reads what [`TimedKey::to_jwk`] wrote; a plain JSON Web Key is a key without bounds.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let time = |member: &str| match jwk.get(member) {
            None => Ok(None),
            Some(at) => jws::seconds::deserialize(at).map(Some).map_err(|_| KeyError::Jwk),
        };
        Ok(Self { key: VerifyingKey::from_jwk(jwk)?, not_before: time("nbf")?, expires: time("exp")? })
    }

    /// Whether its signatures count yet.
    pub(crate) fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|at| now.plus(SKEW) >= at)
    }

    /// Whether they count no longer.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| now >= at.plus(SKEW))
    }
}

impl Serialize for TimedKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_jwk().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TimedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_jwk(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
