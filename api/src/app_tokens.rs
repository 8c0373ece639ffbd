//! Tokens that people make for their own programs: git, docker, npm, a phone. Each is for one application.

use crate::{ObjectRef, Time};
use postern_ids::TokenId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Asks for a token for one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueAppTokenRequest {
    /// The name or id of the application.
    pub resource: String,
    /// The part of it, such as `/api`; all of it when left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What it is for, for when the list is read later.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// For how many seconds it is good; 90 days when left out, a year at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
}

/// A new token; this is the only time that its secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedAppToken {
    /// The secret text: the bearer token, or the password where an application takes Basic authentication.
    pub token: String,
    /// Everything else about it.
    #[serde(rename = "about")]
    pub view: AppTokenView,
}

impl fmt::Debug for IssuedAppToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedAppToken").field("view", &self.view).finish_non_exhaustive()
    }
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppTokenView {
    /// Its id.
    pub id: TokenId,
    /// The application.
    pub resource: ObjectRef,
    /// The part of it; empty is all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What it was made for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it was made.
    pub created_at: Time,
    /// When it ends.
    pub expires_at: Time,
}
