//! What callers may know about themselves.

use crate::{Action, Labels, PrincipalView, ResourceKind, Time};
use postern_ids::{Name, ResourceId, SignInId};
use serde::{Deserialize, Serialize};

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The person or program.
    pub principal: PrincipalView,
    /// What people call them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// The groups they belong to, inherited ones included.
    pub groups: Vec<String>,
    /// Whether they may administer.
    pub owner: bool,
    /// The sign-in behind this call; none for a service account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInView>,
    /// The gateway's issuer URL.
    pub issuer: String,
    /// The policy revision that the gateway decides on.
    pub revision: u64,
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInView {
    /// Its id.
    pub id: SignInId,
    /// When it began.
    pub at: Time,
    /// When it ends.
    pub expires_at: Time,
}

/// A resource that the caller may reach now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MyResource {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: Name,
    /// What speaks there.
    #[serde(rename = "type")]
    pub protocol: ResourceKind,
    /// The site's name.
    pub site: String,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// What the caller may do.
    pub actions: Vec<Action>,
    /// Whether a connector of the site is online.
    pub online: bool,
    /// Where a browser finds it, for a web application that is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The SSH host keys that are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<HostKeyView>,
}

/// An SSH host key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKeyView {
    /// As in `known_hosts`: `ssh-ed25519 AAAA…`.
    pub key: String,
    /// Whether an administrator vouches for it.
    pub confirmed: bool,
}
