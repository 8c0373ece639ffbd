//! Who asks: people, programs and the groups that they are in.

use crate::Secret;
use postern_ids::Name;
use serde::{Deserialize, Serialize};

/// A set of principals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDocument {
    /// Its name.
    pub name: Name,
    /// The groups that this one is part of: a member of this group is a member of those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Name>,
}

/// A person: with a local account, or announced for a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDocument {
    /// The name to sign in with.
    pub name: Name,
    /// What people call them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Their e-mail address, to show; it never identifies anybody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The provider that vouches for them; none for a local account. Who is announced this way with an e-mail address is
    /// bound to the first sign-in for which the provider says that it verified that address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Name>,
    /// The groups they belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// Their password. Write-only: it is never shown again, and leaving it out changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Whether they are locked out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// A program that may hold tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccountDocument {
    /// Its name.
    pub name: Name,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The groups it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// Whether every right is suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}
