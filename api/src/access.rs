//! Tokens, the first owner, and locking people out.

use crate::{ObjectRef, Time};
use postern_ids::TokenId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Makes the first owner, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    /// The token that the gateway printed at its first start.
    pub token: String,
    /// The name to sign in with.
    pub username: String,
    /// Their password.
    pub password: String,
}

impl fmt::Debug for BootstrapRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapRequest").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Asks for a bearer token of a service account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueTokenRequest {
    /// What it is for, for whoever reads the list later.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// For how many seconds it is good; 90 days when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
}

/// A new token; this is the only time that its secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// Its id.
    pub id: TokenId,
    /// The secret text.
    pub token: String,
    /// When it ends.
    pub expires_at: Time,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a listed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A service account's bearer token.
    ServiceAccount,
    /// It enrolls connectors.
    Enrolment,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// The service account, or the site whose connectors it enrolls.
    pub owner: ObjectRef,
    /// What it was made for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it was made.
    pub created_at: Time,
    /// When it ends.
    pub expires_at: Time,
    /// How often it may still be used, where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
}

/// The answer to locking a person out or letting them in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSwitched {
    /// The person.
    pub user: ObjectRef,
    /// Whether they are locked out.
    pub disabled: bool,
    /// The revision from which it holds.
    pub revision: u64,
}
