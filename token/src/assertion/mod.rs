//! What an application is told about who asks: signed for one application, for five minutes, about one session.
//!
//! It is the one kind that programs of other people read, so its shape is what their libraries expect: ES256, whole
//! seconds, a plain string as audience. It has keys of its own: whoever mistakes one kind for another finds no key.

mod fit;
mod peers;

pub use peers::{mint_cloudflare_assertion, mint_pomerium_assertion};

use crate::{
    Alg, Expect, KeySet, Rejected, SigningKey, Verified,
    jws::{self, Kind, Times, seconds},
    key::KeyError,
};
use postern_ids::{SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an assertion is good.
pub const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);

/// The longest assertion: headers of an application are often limited to 8 KiB in all.
pub const ASSERTION_MAX_BYTES: usize = 4 * 1024;

const ASSERTION: Kind =
    Kind { typ: "postern-assertion+jwt", alg: Alg::Es256, lifetime_max: ASSERTION_LIFETIME };

/// Who asks, as far as an application may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The id, which never changes hands.
    pub id: String,
    /// The short name, unique at a time.
    pub username: String,
    /// The full name, to show.
    pub name: Option<String>,
    /// The address, if one is known. It identifies nobody.
    pub email: Option<String>,
    /// The groups that the application may hear of, by name.
    pub groups: Vec<String>,
}

/// For whom an assertion is, and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion<'a> {
    /// The gateway's issuer URL.
    pub issuer: &'a str,
    /// The application's own URL: `https://host`, with the port where it is not 443.
    pub audience: &'a str,
    /// The session.
    pub session: SessionId,
    /// Makes the token unique.
    pub nonce: u128,
}

/// The claims of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The gateway's issuer URL.
    pub iss: String,
    /// The application's own URL.
    pub aud: String,
    /// The id of the person or service account.
    pub sub: String,
    /// The short name.
    pub preferred_username: String,
    /// The full name, else the short one.
    pub name: String,
    /// The address, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The groups, as many as fit.
    pub groups: Vec<String>,
    /// Whether groups were left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub groups_truncated: bool,
    /// The session.
    pub sid: SessionId,
    /// When it was issued.
    #[serde(with = "seconds")]
    pub iat: Timestamp,
    /// When it begins.
    #[serde(with = "seconds")]
    pub nbf: Timestamp,
    /// When it ends.
    #[serde(with = "seconds")]
    pub exp: Timestamp,
    /// Makes the token unique.
    pub jti: String,
}

impl AssertionClaims {
    /// What is said about `subject`, within [`ASSERTION_MAX_BYTES`]: a name is shortened, and groups that do not fit are
    /// left out, the last by name first.
    pub fn new(subject: &Subject, occasion: Occasion<'_>, now: Timestamp) -> Self {
        let mut claims = Self {
            iss: occasion.issuer.to_owned(),
            aud: occasion.audience.to_owned(),
            sub: subject.id.clone(),
            preferred_username: subject.username.clone(),
            name: fit::name(subject.name.as_deref().unwrap_or(&subject.username)),
            email: subject.email.as_deref().and_then(fit::email),
            groups: Vec::new(),
            groups_truncated: false,
            sid: occasion.session,
            iat: now,
            nbf: now,
            exp: now.plus(ASSERTION_LIFETIME),
            jti: format!("{:032x}", occasion.nonce),
        };
        (claims.groups, claims.groups_truncated) = fit::groups(&claims, &subject.groups);
        claims
    }
}

impl Times for AssertionClaims {
    fn issued(&self) -> Timestamp {
        self.iat
    }
    fn not_before(&self) -> Timestamp {
        self.nbf
    }
    fn expires(&self) -> Timestamp {
        self.exp
    }
}

/// Signs an assertion with an ES256 key.
pub fn mint_assertion(claims: &AssertionClaims, key: &SigningKey) -> Result<String, KeyError> {
    jws::mint(&ASSERTION, claims, key)
}

/// Checks an assertion, as an application should.
pub fn verify_assertion(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<AssertionClaims>, Rejected> {
    jws::verify(&ASSERTION, token, keys, expect, now)
}
