//! Enrolment of a connector: a secret that lets one in, and the connector's own public key that it is known by from then on.

use postern_ids::{ConnectorId, Name, Timestamp};
use postern_token::{
    EnrollRequest, KeyError, VerifyingKey,
    opaque::{Opaque, OpaqueKind},
};

/// Why a connector's request cannot be enrolled, whatever the store says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefused {
    /// The secret has not the shape of one.
    #[error("the secret is not that of an enrolment token")]
    Secret,
    /// The key is not an Ed25519 public key that only its owner can sign for.
    #[error("the public key must be an Ed25519 JSON Web Key")]
    Key(#[source] KeyError),
}

/// A connector that asks to be enrolled, checked as far as that is possible without the store.
#[derive(Debug, Clone)]
pub struct ConnectorAsk {
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// The id it will have.
    pub id: ConnectorId,
    /// The name it will have.
    pub name: Name,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Checks a request. A connector without a name of its own gets one from its id.
pub fn connector_ask(
    request: &EnrollRequest,
    entropy: [u8; 10],
    now: Timestamp,
) -> Result<ConnectorAsk, EnrolmentRefused> {
    let secret = Opaque::parse_as(OpaqueKind::Enrolment, &request.secret).ok_or(EnrolmentRefused::Secret)?;
    let key = VerifyingKey::from_jwk(&request.public_key).map_err(EnrolmentRefused::Key)?;
    let public_key = key.raw().ok_or(EnrolmentRefused::Key(KeyError::Jwk))?;
    let id = ConnectorId::mint(now, entropy);
    let name = match &request.name {
        Some(name) => name.clone(),
        None => made_up_name(id)?,
    };
    Ok(ConnectorAsk { secret_hash: secret.hash(), id, name, public_key })
}

/// `connector-` and the last, random, characters of the id.
fn made_up_name(id: ConnectorId) -> Result<Name, EnrolmentRefused> {
    let text = id.to_string();
    let tail = text.get(text.len().saturating_sub(8)..).unwrap_or_default();
    format!("connector-{tail}").parse().map_err(|_| EnrolmentRefused::Secret)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_token::{Alg, SigningKey};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn request(key: &SigningKey) -> EnrollRequest {
        let secret = Opaque::from_entropy(OpaqueKind::Enrolment, [1; 32]);
        EnrollRequest { secret: secret.reveal().to_owned(), public_key: key.verifying().to_jwk(), name: None }
    }

    #[test]
    fn a_connector_is_known_by_its_own_key_and_gets_a_name() {
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        let ask = connector_ask(&request(&key), [7; 10], NOW).unwrap();
        assert_eq!(Some(ask.public_key), key.verifying().raw());
        assert!(ask.name.as_str().starts_with("connector-"));
        let named = EnrollRequest { name: Some("hall".parse().unwrap()), ..request(&key) };
        assert_eq!(connector_ask(&named, [7; 10], NOW).unwrap().name.as_str(), "hall");
    }

    #[test]
    fn keys_of_other_kinds_and_secrets_of_other_kinds_are_refused() {
        let wrong = SigningKey::generate(Alg::Es256).unwrap();
        assert!(matches!(connector_ask(&request(&wrong), [7; 10], NOW), Err(EnrolmentRefused::Key(_))));
        let key = SigningKey::generate(Alg::EdDsa).unwrap();
        let bootstrap = Opaque::from_entropy(OpaqueKind::Bootstrap, [1; 32]);
        let ask = EnrollRequest { secret: bootstrap.reveal().to_owned(), ..request(&key) };
        assert_eq!(connector_ask(&ask, [7; 10], NOW).err(), Some(EnrolmentRefused::Secret));
    }
}
