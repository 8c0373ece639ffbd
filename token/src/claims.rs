//! What each kind of token says. The shape of a claim set is fixed here; who may believe it, in `kinds`.

use crate::jws::{Times, seconds};
use postern_ids::{ConnectorId, InstanceId, ResourceId, SessionId, SignInId, StreamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// How a connector proves to a gateway which one it is: signed with the connector's own key, for one dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialClaims {
    /// The connector; issuer and subject at once.
    #[serde(rename = "iss")]
    pub connector: ConnectorId,
    /// The gateway's issuer URL.
    pub aud: String,
    /// The gateway's challenge.
    pub nonce: String,
    /// The connector's process start.
    pub instance: InstanceId,
    /// Which of the instance's parallel links this is.
    pub slot: u8,
    /// When it was signed, by the gateway's clock.
    #[serde(with = "seconds")]
    pub iat: Timestamp,
    /// When it ends.
    #[serde(with = "seconds")]
    pub exp: Timestamp,
    /// Makes the token unique.
    pub jti: String,
}

/// A person's short-lived proof of sign-in (RFC 9068), carried by the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The gateway's issuer URL.
    pub iss: String,
    /// Always [`crate::ACCESS_AUDIENCE`].
    pub aud: String,
    /// The person.
    pub sub: UserId,
    /// The sign-in behind the token.
    pub sid: SignInId,
    /// The OAuth client it was issued to.
    pub client_id: String,
    /// When the person proved who they are.
    #[serde(with = "seconds")]
    pub auth_time: Timestamp,
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

/// The gateway's word to one connector that this session may reach this target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantClaims {
    /// The gateway's issuer URL.
    pub iss: String,
    /// The connector it is for.
    pub aud: ConnectorId,
    /// The session that was admitted.
    pub session: SessionId,
    /// The resource that was asked for.
    pub resource: ResourceId,
    /// The resource's name, for the connector's log.
    pub resource_name: String,
    /// The host to dial, as the resource names it.
    pub target_host: String,
    /// The port to dial.
    pub target_port: u16,
    /// Who asked, for the connector's log.
    pub principal: String,
    /// The Ed25519 key of the client that may resume this session (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "cnf_option")]
    pub cnf: Option<[u8; 32]>,
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

/// What a client shows, next to its key and a valid access token, to resume a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketClaims {
    /// The gateway's issuer URL; also the audience, for any gateway of the installation takes it back.
    pub iss: String,
    /// The same URL.
    pub aud: String,
    /// The session to resume.
    pub session: SessionId,
    /// The byte stream in it.
    pub stream: StreamId,
    /// Whose session it is.
    pub principal: String,
    /// The sign-in behind it; none for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInId>,
    /// The resource it reaches.
    pub resource: ResourceId,
    /// The connector that holds the stream.
    pub connector: ConnectorId,
    /// The process of that connector which holds it.
    pub instance: InstanceId,
    /// The Ed25519 key that the client must prove to hold (RFC 7800).
    #[serde(with = "cnf")]
    pub cnf: [u8; 32],
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

impl Times for DialClaims {
    fn issued(&self) -> Timestamp {
        self.iat
    }
    fn not_before(&self) -> Timestamp {
        self.iat
    }
    fn expires(&self) -> Timestamp {
        self.exp
    }
}

macro_rules! times {
    ($($claims:ident),*) => {$(
        impl Times for $claims {
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
    )*};
}

times!(AccessClaims, GrantClaims, TicketClaims);

/// A confirmation key as RFC 7800 section 3.2 writes it: `{"jwk": {…}}` with an Ed25519 public key.
mod cnf {
    use crate::b64;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    pub(super) struct Confirmation {
        jwk: Okp,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Okp {
        kty: String,
        crv: String,
        x: String,
    }

    impl Confirmation {
        pub(super) fn of(key: &[u8; 32]) -> Self {
            Self { jwk: Okp { kty: "OKP".to_owned(), crv: "Ed25519".to_owned(), x: b64::encode(key) } }
        }

        pub(super) fn key(&self) -> Option<[u8; 32]> {
            let right_kind = self.jwk.kty == "OKP" && self.jwk.crv == "Ed25519";
            right_kind.then(|| b64::decode_array(&self.jwk.x)).flatten()
        }
    }

    pub(super) fn serialize<S: Serializer>(key: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        Confirmation::of(key).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        Confirmation::deserialize(deserializer)?.key().ok_or_else(|| D::Error::custom("not an Ed25519 key"))
    }
}

mod cnf_option {
    use super::cnf::Confirmation;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(key: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        key.as_ref().map(Confirmation::of).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        Option::<Confirmation>::deserialize(deserializer)?
            .map(|confirmation| confirmation.key().ok_or_else(|| D::Error::custom("not an Ed25519 key")))
            .transpose()
    }
}
