//! Identity providers, as an administrator writes them down.

use crate::Secret;
use postern_ids::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An OpenID provider that vouches for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderDocument {
    /// Its name; part of its redirect address, and what policies see as the identity provider.
    pub name: Name,
    /// What people see on the sign-in page; the name if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Its issuer, exactly as its metadata says.
    pub issuer: String,
    /// What this gateway is called there.
    pub client_id: String,
    /// This gateway's secret there. Write-only: it is never shown again, and leaving it out changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Scopes beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim with a person's groups: `groups`, or a path such as `realm_access.roles`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Where that claim stands.
    #[serde(default, skip_serializing_if = "ClaimsFrom::is_id_token")]
    pub groups_from: ClaimsFrom,
    /// Which groups follow from the provider's groups: its value, then the group's name here. The provider alone decides
    /// who is in these groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Name>,
    /// Whether people whom nobody announced may come in, without any right.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub adopt: bool,
    /// Whether it may live in a private network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_private_address: bool,
    /// Certificates to trust there besides the system's, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Whether its metadata must promise PKCE with S256.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_pkce: bool,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsFrom {
    /// In the ID token.
    #[default]
    IdToken,
    /// In the answer of the userinfo endpoint.
    Userinfo,
}

impl ClaimsFrom {
    /// Whether it is the default.
    pub fn is_id_token(&self) -> bool {
        *self == Self::IdToken
    }
}

fn default_scopes() -> Vec<String> {
    ["email", "profile", "offline_access"].map(str::to_owned).to_vec()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}
