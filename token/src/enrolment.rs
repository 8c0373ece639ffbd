//! The text that an administrator hands to whoever installs a connector: where to go, whom to trust there, and a secret.

use crate::{
    b64,
    opaque::{Opaque, OpaqueKind},
};
use postern_ids::{ConnectorId, Name};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

const PREFIX: &str = "pse_";

/// The longest text that is looked at: a URL of 2 KiB, a hash and a secret.
const TEXT_MAX_BYTES: usize = 4 * 1024;

/// Text that is not an enrolment token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an enrolment token: expected {PREFIX} and base64; was it copied as a whole?")]
pub struct EnrolmentTokenError;

/// An enrolment token. Its display form is the secret text itself; its debug form leaves the secret out.
#[derive(Clone)]
pub struct EnrolmentToken {
    /// The gateway's public URL.
    pub url: String,
    /// SHA-256 of the gateway CA's public key (its SubjectPublicKeyInfo), when the gateway has its own CA.
    pub ca_sha256: Option<[u8; 32]>,
    /// What the gateway knows the hash of.
    pub secret: Opaque,
}

/// What a connector sends to be enrolled: `POST /api/v1/enroll`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The secret of the enrolment token.
    pub secret: String,
    /// The connector's own Ed25519 public key, as a JSON Web Key.
    pub public_key: serde_json::Value,
    /// The name to register under; the gateway makes one up when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

impl fmt::Debug for EnrollRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrollRequest").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an enrolled connector has to keep. A newer gateway may say more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnrollReply {
    /// Who the connector is from now on.
    pub connector: ConnectorId,
    /// The name it got.
    pub name: Name,
    /// The name of the site it serves.
    pub site: Name,
    /// The gateway's issuer URL: issuer of its grants and audience of dials.
    pub issuer: String,
    /// Where to dial: the address of each gateway of the installation. An older gateway says nothing: there is only the one
    /// that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    /// The Ed25519 keys that grants are signed with, as JSON Web Keys.
    pub grant_keys: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_sha256: Option<String>,
    secret: String,
}

impl fmt::Display for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wire = Wire {
            url: self.url.clone(),
            ca_sha256: self.ca_sha256.map(b64::encode),
            secret: self.secret.reveal().to_owned(),
        };
        let json = serde_json::to_vec(&wire).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", b64::encode(json))
    }
}

impl FromStr for EnrolmentToken {
    type Err = EnrolmentTokenError;

    fn from_str(text: &str) -> Result<Self, EnrolmentTokenError> {
        let body = text.trim().strip_prefix(PREFIX).filter(|body| body.len() <= TEXT_MAX_BYTES);
        let json = body.and_then(b64::decode).ok_or(EnrolmentTokenError)?;
        let wire: Wire = serde_json::from_slice(&json).map_err(|_| EnrolmentTokenError)?;
        let ca_sha256 = match &wire.ca_sha256 {
            Some(hash) => Some(b64::decode_array(hash).ok_or(EnrolmentTokenError)?),
            None => None,
        };
        let secret = Opaque::parse_as(OpaqueKind::Enrolment, &wire.secret).ok_or(EnrolmentTokenError)?;
        Ok(Self { url: wire.url, ca_sha256, secret })
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentToken").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_token_survives_its_text_form() {
        let token = EnrolmentToken {
            url: "https://gw.example:4433".to_owned(),
            ca_sha256: Some([3; 32]),
            secret: Opaque::from_entropy(OpaqueKind::Enrolment, [4; 32]),
        };
        let again: EnrolmentToken = format!("{token}\n").parse().unwrap();
        assert_eq!((again.url, again.ca_sha256), (token.url.clone(), token.ca_sha256));
        assert_eq!(again.secret.hash(), token.secret.hash());
        assert!(!format!("{token:?}").contains(token.secret.reveal()));
    }

    #[test]
    fn a_truncated_token_says_that_it_is_one() {
        let text = "pse_eyJ1cmwiOiJodHRwczovL2d3";
        assert!(text.parse::<EnrolmentToken>().unwrap_err().to_string().contains("copied as a whole"));
    }
}
