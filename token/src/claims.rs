//! What each kind of token says. The shape of a claim set is fixed here; who may believe it, in `kinds`.

use crate::{
    cnf,
    jws::{Times, seconds},
    session_claims::SessionClaims,
    timed_key::TimedKey,
};
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
    /// Who asked: for the connector's log, and for the gateway that decides a resumable session again.
    pub principal: String,
    /// The Ed25519 key of the client that may resume this session (RFC 7800); only of a resumable one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "cnf::option")]
    pub cnf: Option<[u8; 32]>,
    /// The byte stream in it; only of a resumable session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// What a gateway needs to decide it again; only of a resumable session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ses: Option<SessionClaims>,
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

/// A grant that a connector still holds, as a gateway reads it back from the connector's inventory: the same token, with
/// everything in it that only a resumable session has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldGrantClaims {
    /// The connector that holds the stream.
    #[serde(rename = "aud")]
    pub connector: ConnectorId,
    /// The session that was admitted.
    pub session: SessionId,
    /// The byte stream in it.
    pub stream: StreamId,
    /// Whose session it is.
    pub principal: String,
    /// What a gateway needs to decide it again.
    pub ses: SessionClaims,
    /// The resource it reaches.
    pub resource: ResourceId,
    /// The Ed25519 key of the client that may resume it (RFC 7800).
    #[serde(with = "cnf")]
    pub cnf: [u8; 32],
    /// When it was issued.
    #[serde(with = "seconds")]
    pub iat: Timestamp,
    /// When it began.
    #[serde(with = "seconds")]
    pub nbf: Timestamp,
    /// Until when it could open the stream; what was opened may live longer.
    #[serde(with = "seconds")]
    pub exp: Timestamp,
}

/// The gateway's word to its connectors about the keys that sign grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysClaims {
    /// The gateway's issuer URL.
    pub iss: String,
    /// Always [`crate::KEYS_AUDIENCE`].
    pub aud: String,
    /// The keys, each with its times, at most [`crate::ANNOUNCED_MAX`].
    pub keys: Vec<TimedKey>,
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
    /// What a gateway needs to decide it again.
    pub ses: SessionClaims,
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

times!(AccessClaims, GrantClaims, HeldGrantClaims, KeysClaims, TicketClaims);
