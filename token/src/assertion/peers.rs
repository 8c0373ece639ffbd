//! The same statement in the shapes that the verifiers of two other products expect. Which claims they read was taken from
//! their own sources and manuals; `docs/identity-headers.md` says which of their settings still change.

use super::AssertionClaims;
use crate::{
    Alg, SigningKey,
    jws::{self, Kind, seconds},
    key::KeyError,
};
use postern_ids::{SessionId, Timestamp};
use serde::Serialize;

/// Both products call theirs plainly `JWT`, and nothing of ours is called so.
const PEER: Kind = Kind { typ: "JWT", alg: Alg::Es256, lifetime_max: super::ASSERTION_LIFETIME };

/// Pomerium's: issuer and audience are the bare host, and the id stands twice.
#[derive(Serialize)]
struct Pomerium<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    user: &'a str,
    email: &'a str,
    name: &'a str,
    groups: &'a [String],
    sid: SessionId,
    #[serde(with = "seconds")]
    iat: Timestamp,
    #[serde(with = "seconds")]
    exp: Timestamp,
    jti: &'a str,
}

/// Signs what `X-Pomerium-Jwt-Assertion` carries.
pub fn mint_pomerium_assertion(claims: &AssertionClaims, key: &SigningKey) -> Result<String, KeyError> {
    let host = claims.aud.split_once("://").map_or(&*claims.aud, |(_, host)| host);
    let shape = Pomerium {
        iss: host,
        aud: host,
        sub: &claims.sub,
        user: &claims.sub,
        email: claims.email.as_deref().unwrap_or_default(),
        name: &claims.name,
        groups: &claims.groups,
        sid: claims.sid,
        iat: claims.iat,
        exp: claims.exp,
        jti: &claims.jti,
    };
    jws::mint(&PEER, &shape, key)
}

/// Cloudflare Access': the audience is a list, programs have a common name and no address.
#[derive(Serialize)]
struct Cloudflare<'a> {
    iss: &'a str,
    aud: [&'a str; 1],
    sub: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    common_name: Option<&'a str>,
    custom: Custom<'a>,
    #[serde(with = "seconds")]
    iat: Timestamp,
    #[serde(with = "seconds")]
    nbf: Timestamp,
    #[serde(with = "seconds")]
    exp: Timestamp,
    identity_nonce: &'a str,
}

#[derive(Serialize)]
struct Custom<'a> {
    name: &'a str,
    groups: &'a [String],
}

/// Signs what `Cf-Access-Jwt-Assertion` carries. Issuer and audience are the application's own URL, which takes the place
/// of the team domain: verifiers find the keys below it.
pub fn mint_cloudflare_assertion(claims: &AssertionClaims, key: &SigningKey) -> Result<String, KeyError> {
    let shape = Cloudflare {
        iss: &claims.aud,
        aud: [&claims.aud],
        sub: &claims.sub,
        r#type: "app",
        email: claims.email.as_deref(),
        common_name: claims.email.is_none().then_some(&claims.preferred_username),
        custom: Custom { name: &claims.name, groups: &claims.groups },
        iat: claims.iat,
        nbf: claims.nbf,
        exp: claims.exp,
        identity_nonce: &claims.jti,
    };
    jws::mint(&PEER, &shape, key)
}
