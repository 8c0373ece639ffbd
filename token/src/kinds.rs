//! The kinds of signed tokens: each has its own `typ`, algorithm and longest life, so none passes as another.

use crate::{
    AccessClaims, Alg, DialClaims, Expect, GrantClaims, HeldGrantClaims, KeySet, Rejected, SigningKey,
    TicketClaims, Verified, VerifyingKey,
    jws::{self, Kind, Parts},
    key::KeyError,
};
use postern_ids::{ConnectorId, Timestamp};
use std::time::Duration;

/// The audience of every access token.
pub const ACCESS_AUDIENCE: &str = "postern";

/// The longest life of a ticket. Each resume brings a fresh one, so only a session that was never interrupted for this long
/// outlives its own.
pub const TICKET_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// The audience of every announcement of grant keys: all connectors of the installation.
pub const KEYS_AUDIENCE: &str = "postern-connector";

const DIAL: Kind = Kind { typ: "postern-dial+jwt", alg: Alg::EdDsa, lifetime_max: Duration::from_secs(120) };
const ACCESS: Kind = Kind { typ: "at+jwt", alg: Alg::Es256, lifetime_max: Duration::from_secs(3600) };
pub(crate) const GRANT: Kind =
    Kind { typ: "postern-grant+jwt", alg: Alg::EdDsa, lifetime_max: Duration::from_secs(24 * 3600) };
/// Announcements of grant keys; minted and verified in `pinned`.
pub(crate) const KEYS: Kind =
    Kind { typ: "postern-keys+jwt", alg: Alg::EdDsa, lifetime_max: Duration::from_secs(120) };
const TICKET: Kind = Kind { typ: "postern-ticket+jwt", alg: Alg::EdDsa, lifetime_max: TICKET_LIFETIME_MAX };

/// Signs a connector's dial with its own Ed25519 key.
pub fn mint_dial(claims: &DialClaims, key: &SigningKey) -> Result<String, KeyError> {
    jws::mint(&DIAL, claims, key)
}

/// The connector that an unverified dial token claims to come from: good for finding its key, and for nothing else.
pub fn claimed_connector(token: &str) -> Result<ConnectorId, Rejected> {
    Parts::split(token)?.claimed_issuer()?.parse().map_err(|_| Rejected::IssInvalid)
}

/// Checks a dial against the enrolled key of `connector`. The nonce in the claims is the caller's to check.
pub fn verify_dial(
    token: &str,
    connector: ConnectorId,
    key: &VerifyingKey,
    audience: &str,
    now: Timestamp,
) -> Result<Verified<DialClaims>, Rejected> {
    let issuer = connector.to_string();
    let expect = Expect { issuer: &issuer, audience };
    jws::verify_with(&DIAL, token, |kid| (kid == key.kid()).then_some(key), expect, now)
}

/// Signs an access token with an ES256 key.
pub fn mint_access(claims: &AccessClaims, key: &SigningKey) -> Result<String, KeyError> {
    jws::mint(&ACCESS, claims, key)
}

/// Checks an access token.
pub fn verify_access(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<AccessClaims>, Rejected> {
    jws::verify(&ACCESS, token, keys, expect, now)
}

/// Checks an access token that may have ended up to `grace` ago: for what must go on while no fresh one can be had.
pub fn verify_lapsed_access(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    grace: Duration,
    now: Timestamp,
) -> Result<Verified<AccessClaims>, Rejected> {
    let find = |kid: &str| keys.find(expect.issuer, kid);
    let verified: Verified<AccessClaims> = jws::verify_past(&ACCESS, token, find, expect, now)?;
    if now >= verified.exp.plus(jws::SKEW).plus(grace) {
        return Err(Rejected::Expired);
    }
    Ok(verified)
}

/// Signs a grant for a connector with an Ed25519 key.
pub fn mint_grant(claims: &GrantClaims, key: &SigningKey) -> Result<String, KeyError> {
    jws::mint(&GRANT, claims, key)
}

/// Checks a grant that was addressed to `expect.audience`, the connector's own id.
pub fn verify_grant(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<GrantClaims>, Rejected> {
    jws::verify(&GRANT, token, keys, expect, now)
}

/// Checks a grant that a connector (`expect.audience`) still holds for a resumable stream, however long ago it was made:
/// it could open a stream for a minute, and says for as long as the stream lives whose it is. What it says is decided
/// again by the caller. A grant of a session that cannot be resumed is refused.
pub fn verify_held_grant(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<HeldGrantClaims>, Rejected> {
    jws::verify_past(&GRANT, token, |kid| keys.find(expect.issuer, kid), expect, now)
}

/// Signs a resume ticket with an Ed25519 key.
pub fn mint_ticket(claims: &TicketClaims, key: &SigningKey) -> Result<String, KeyError> {
    jws::mint(&TICKET, claims, key)
}

/// Checks a resume ticket. The proof that the client holds `cnf` is the caller's to check.
pub fn verify_ticket(
    token: &str,
    keys: &KeySet,
    expect: Expect<'_>,
    now: Timestamp,
) -> Result<Verified<TicketClaims>, Rejected> {
    jws::verify(&TICKET, token, keys, expect, now)
}
