//! What a signed token says about a resumable session, so that any gateway can decide it again without reading a row.
//!
//! The same words stand in the grant that a connector keeps and in the ticket that a client keeps. They are facts about
//! the past (who proved what, when and from where), never rights: a gateway decides anew on the policy in force. Times
//! are microseconds, because a decision repeated on rounded times could come out differently.

use postern_ids::{SignInId, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The facts of a session, beside its id, principal and resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// What proved who it is.
    pub credential: CredentialClaims,
    /// What is done at the resource.
    pub action: ActionClaim,
    /// The client's address at the last decision.
    pub source: IpAddr,
    /// When the session began; a resume does not change it.
    pub started_at: Timestamp,
    /// When it must end even if nobody can be asked again; none is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Which attempt of the client this was made for, from 1.
    pub generation: u32,
}

/// What a session was authenticated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialClaims {
    /// An SSO session.
    SignIn(SignInClaims),
    /// A service account's token.
    Token(TokenClaims),
}

/// The facts of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInClaims {
    /// Which sign-in.
    pub id: SignInId,
    /// When the person last proved who they are.
    pub at: Timestamp,
    /// When a second factor was last checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_at: Option<Timestamp>,
    /// How they proved it, in the provider's own word (`acr`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// With which means (`amr`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// When the sign-in ends by itself.
    pub expires_at: Timestamp,
    /// Which provider vouched.
    pub idp: String,
}

/// The facts of a service account's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Which token.
    pub id: TokenId,
    /// When it ends by itself, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What a resumable session does. Requests of browsers are never resumable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionClaim {
    /// It carries a byte stream.
    Connect,
}
