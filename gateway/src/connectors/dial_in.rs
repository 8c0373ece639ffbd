//! Which connector is dialing: proven by a token that it signed over our challenge with its enrolled key. Nothing else
//! that it sends says who it is (T10), and no database is asked.

use super::challenge::{ChallengeError, Challenges};
use http::{HeaderMap, header};
use postern_ids::{ConnectorId, InstanceId, Timestamp};
use postern_policy::{Snapshot, model::ConnectorState};
use postern_token::{DialClaims, Rejected, VerifyingKey, claimed_connector, verify_dial};
use std::sync::Arc;

/// The scheme of `Authorization` and `WWW-Authenticate`.
pub const SCHEME: &str = "Postern-Dial";
/// The header that carries the challenge.
pub const NONCE_HEADER: &str = "postern-nonce";
/// The header that carries our time in microseconds.
pub const TIME_HEADER: &str = "postern-time";

/// A connector that proved which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialer {
    /// The connector.
    pub connector: ConnectorId,
    /// Its process.
    pub instance: InstanceId,
    /// Which of its parallel links this is.
    pub slot: u8,
}

/// Why a dial is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialRefused {
    /// There is no proof yet, or it answers no challenge that is good: answer this one.
    #[error("a challenge has to be answered")]
    Challenge,
    /// No connector with this id and key is enrolled. Final.
    #[error("the connector is not enrolled")]
    Unknown,
    /// It was revoked. Final.
    #[error("the connector was revoked")]
    Revoked,
    /// The proof is wrong.
    #[error("the proof was rejected: {}", .0.label())]
    Proof(Rejected),
    /// Too many dials.
    #[error("too many dials")]
    TooMany,
}

impl DialRefused {
    /// The word for logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Unknown => "connector_unknown",
            Self::Revoked => "connector_revoked",
            Self::Proof(rejected) => rejected.label(),
            Self::TooMany => "too_many",
        }
    }
}

/// Verifies the proof in the headers of an upgrade request.
pub fn verify(
    headers: &HeaderMap,
    snapshot: &Snapshot,
    challenges: &Challenges,
    issuer: &str,
    now: Timestamp,
) -> Result<Dialer, DialRefused> {
    let token = proof(headers).ok_or(DialRefused::Challenge)?;
    let claimed = claimed_connector(token).map_err(DialRefused::Proof)?;
    let connector = Arc::clone(snapshot.connector(claimed).ok_or(DialRefused::Unknown)?);
    let key = VerifyingKey::from_ed25519(connector.public_key).map_err(|_| DialRefused::Unknown)?;
    let claims = match verify_dial(token, connector.id, &key, issuer, now) {
        Ok(verified) => verified.into_inner(),
        Err(rejected) => return Err(on_rejected(rejected)),
    };
    // Only the holder of the key learns that it was revoked.
    match connector.state {
        ConnectorState::Active => {}
        ConnectorState::Revoked => return Err(DialRefused::Revoked),
    }
    accept_nonce(challenges, &claims, now)?;
    Ok(Dialer { connector: connector.id, instance: claims.instance, slot: claims.slot })
}

fn on_rejected(rejected: Rejected) -> DialRefused {
    // Another key than the enrolled one: as good as not enrolled, and trying again does not help.
    if rejected == Rejected::KidUnknown {
        return DialRefused::Unknown;
    }
    // Its clock was off; the fresh challenge carries our time.
    if matches!(rejected, Rejected::Expired | Rejected::NotYetValid) {
        return DialRefused::Challenge;
    }
    DialRefused::Proof(rejected)
}

fn accept_nonce(challenges: &Challenges, claims: &DialClaims, now: Timestamp) -> Result<(), DialRefused> {
    challenges.accept(&claims.nonce, now).map_err(|error| match error {
        ChallengeError::Foreign | ChallengeError::Expired | ChallengeError::Used => DialRefused::Challenge,
        ChallengeError::TooMany => DialRefused::TooMany,
    })
}

fn proof(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    // Two credentials would leave open which of them counts.
    (values.next().is_none() && scheme.eq_ignore_ascii_case(SCHEME)).then_some(token)
}
