//! The compact form (RFC 7515): the checks that every kind of token shares, in the order that costs an attacker most.

use crate::{Alg, KeySet, Rejected, SigningKey, VerifyingKey, b64, header::Header, key::KeyError, strict};
use postern_ids::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::{ops::Deref, time::Duration};

/// The longest token that is looked at. The largest of ours, an announcement of eight keys, stays below 3 KiB.
pub const TOKEN_MAX_BYTES: usize = 8 * 1024;

/// How far two clocks may differ, in both directions.
pub const SKEW: Duration = Duration::from_secs(30);

/// The latest second that a claim may name (the end of the year 9999).
const SECONDS_MAX: i64 = 253_402_300_799;

/// What the caller expects a token to say, compared byte for byte.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The exact issuer; its keys are the only ones considered.
    pub issuer: &'a str,
    /// The exact audience.
    pub audience: &'a str,
}

/// Claims that passed every check of their kind. Only the `verify_*` functions make one.
#[derive(Debug, Clone)]
pub struct Verified<C>(C);

impl<C> Verified<C> {
    /// The claims alone; from here on nothing proves that they were checked.
    pub fn into_inner(self) -> C {
        self.0
    }
}

impl<C> Deref for Verified<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

/// What sets one kind of token apart from all others.
pub(crate) struct Kind {
    /// The `typ` header.
    pub(crate) typ: &'static str,
    /// The algorithm that keys of this kind have.
    pub(crate) alg: Alg,
    /// The longest time between `iat` and `exp`.
    pub(crate) lifetime_max: Duration,
}

/// The times that every kind carries.
pub(crate) trait Times {
    fn issued(&self) -> Timestamp;
    fn not_before(&self) -> Timestamp;
    fn expires(&self) -> Timestamp;
}

pub(crate) fn mint<C: Serialize>(kind: &Kind, claims: &C, key: &SigningKey) -> Result<String, KeyError> {
    if key.alg() != kind.alg {
        return Err(KeyError::Private);
    }
    let header = format!(r#"{{"alg":"{}","typ":"{}","kid":"{}"}}"#, kind.alg.name(), kind.typ, key.kid());
    let payload = serde_json::to_vec(claims).map_err(|_| KeyError::Private)?;
    let mut token = b64::encode(header);
    token.push('.');
    token.push_str(&b64::encode(payload));
    let signature = b64::encode(key.sign(token.as_bytes())?);
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

pub(crate) fn verify<C: DeserializeOwned + Times>(
    kind: &Kind,
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<C>, Rejected> {
    verify_with(kind, token, |kid| keys.find(expect.issuer, kid), expect, now)
}

pub(crate) fn verify_with<'k, C: DeserializeOwned + Times>(
    kind: &Kind,
    token: &str,
    find: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<C>, Rejected> {
    let verified: Verified<C> = verify_past(kind, token, find, expect, now)?;
    if now >= verified.expires().plus(SKEW) {
        return Err(Rejected::Expired);
    }
    Ok(verified)
}

/// Every check but the last: whether the token's time is over.
pub(crate) fn verify_past<'k, C: DeserializeOwned + Times>(
    kind: &Kind,
    token: &str,
    find: impl FnOnce(&str) -> Option<&'k VerifyingKey>,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<C>, Rejected> {
    let parts = Parts::split(token)?;
    let header = Header::read(parts.header)?;
    if header.typ.as_deref() != Some(kind.typ) {
        return Err(Rejected::TypInvalid);
    }
    let key = find(&header.kid).ok_or(Rejected::KidUnknown)?;
    if header.alg != key.alg().name() || key.alg() != kind.alg {
        return Err(Rejected::AlgKeyMismatch);
    }
    let signature = b64::decode(parts.signature).ok_or(Rejected::BadSignature)?;
    if !key.verifies(parts.signed.as_bytes(), &signature) {
        return Err(Rejected::BadSignature);
    }
    let claims = parts.claims()?;
    exactly(&claims, "iss", expect.issuer, Rejected::IssInvalid)?;
    exactly(&claims, "aud", expect.audience, Rejected::AudInvalid)?;
    let claims: C = serde_json::from_value(Value::Object(claims)).map_err(|_| Rejected::ClaimFormat)?;
    check_beginning(kind, &claims, now)?;
    Ok(Verified(claims))
}

fn exactly(
    claims: &Map<String, Value>,
    name: &str,
    wanted: &str,
    otherwise: Rejected,
) -> Result<(), Rejected> {
    match claims.get(name) {
        Some(Value::String(found)) if found == wanted => Ok(()),
        _ => Err(otherwise),
    }
}

fn check_beginning(kind: &Kind, claims: &impl Times, now: Timestamp) -> Result<(), Rejected> {
    let (issued, expires) = (claims.issued(), claims.expires());
    if expires <= issued || expires.since(issued) > kind.lifetime_max {
        return Err(Rejected::ClaimFormat);
    }
    if issued > now.plus(SKEW) || claims.not_before() > now.plus(SKEW) {
        return Err(Rejected::NotYetValid);
    }
    Ok(())
}

/// The three parts of a token, not yet decoded.
pub(crate) struct Parts<'t> {
    signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    pub(crate) fn split(token: &'t str) -> Result<Self, Rejected> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Rejected::TooLarge);
        }
        match token.bytes().filter(|&byte| byte == b'.').count() {
            2 => {}
            // Five parts are the compact form of an encrypted token (RFC 7516).
            4 => return Err(Rejected::UnsupportedHeader),
            _ => return Err(Rejected::Malformed),
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejected::Malformed)?;
        Ok(Self { signed, header, payload, signature })
    }

    /// The issuer that the claims name, before the signature was checked: good for finding a key, and for nothing else.
    pub(crate) fn claimed_issuer(&self) -> Result<String, Rejected> {
        #[derive(Deserialize)]
        struct Claimed {
            iss: String,
        }
        let bytes = b64::decode(self.payload).ok_or(Rejected::Malformed)?;
        let claimed = serde_json::from_slice::<Claimed>(&bytes);
        let claimed = claimed.map_err(|error| match error.is_data() {
            true => Rejected::IssInvalid,
            false => Rejected::ClaimFormat,
        })?;
        Ok(claimed.iss)
    }

    /// The claims, which are worth nothing before the signature was checked.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, Rejected> {
        let bytes = b64::decode(self.payload).ok_or(Rejected::Malformed)?;
        strict::object(&bytes).map_err(|_| Rejected::ClaimFormat)
    }
}

/// NumericDate as whole seconds: no strings, no fractions, nothing negative or beyond the year 9999.
pub(crate) mod seconds {
    use super::SECONDS_MAX;
    use postern_ids::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `with` calls")]
    pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let secs = i64::deserialize(deserializer)?;
        if !(0..=SECONDS_MAX).contains(&secs) {
            return Err(D::Error::custom("a time outside the years 1970 to 9999"));
        }
        Ok(Timestamp::from_secs(secs))
    }
}
