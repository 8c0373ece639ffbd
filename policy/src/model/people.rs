//! Who asks, and what proves it.

use postern_ids::{GroupId, Name, ServiceAccountId, SignInId, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The stable identity of whoever asks; never a name or an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalId {
    /// A person.
    User(UserId),
    /// A program.
    ServiceAccount(ServiceAccountId),
    /// Nobody signed in: the principal of public paths.
    Anonymous,
}

impl PrincipalId {
    /// What kind of principal this is.
    pub const fn kind(self) -> PrincipalKind {
        match self {
            Self::User(_) => PrincipalKind::User,
            Self::ServiceAccount(_) => PrincipalKind::ServiceAccount,
            Self::Anonymous => PrincipalKind::Anonymous,
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// The kinds of principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    ServiceAccount,
    /// Nobody signed in.
    Anonymous,
}

/// A principal as the store last read it. Shared by all its sessions, replaced as a whole when a membership changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Who it is.
    pub id: PrincipalId,
    /// The name to show; rules never look at it.
    pub name: Arc<str>,
    /// Direct memberships; the ancestors come from the snapshot's group tree.
    pub groups: Vec<GroupId>,
    /// The store's revision at which this was read: an older reading never replaces a newer one.
    pub revision: u64,
}

impl Principal {
    /// The principal of a request that nobody signed in for.
    pub fn anonymous() -> Self {
        Self { id: PrincipalId::Anonymous, name: "anonymous".into(), groups: Vec::new(), revision: 0 }
    }
}

/// The facts of one SSO session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignIn {
    /// Which sign-in.
    pub id: SignInId,
    /// When the person last proved who they are.
    pub at: Timestamp,
    /// When a second factor was last checked.
    pub mfa_at: Option<Timestamp>,
    /// How they proved it, in the provider's own word (`acr`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Arc<str>>,
    /// With which means (`amr`, RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<Arc<str>>,
    /// When the sign-in ends by itself.
    pub expires_at: Timestamp,
    /// The identity provider that vouched: `local`, or the provider's configured name.
    pub idp: Arc<str>,
}

/// A long-lived secret that stands for a principal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenFacts {
    /// Which token.
    pub id: TokenId,
    /// When it ends by itself, if ever.
    pub expires_at: Option<Timestamp>,
}

/// What the request was authenticated with. When it ends, so do the sessions behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An SSO session.
    SignIn(Arc<SignIn>),
    /// A service-account or application token.
    Token(Arc<TokenFacts>),
    /// Nothing: only for [`PrincipalId::Anonymous`].
    None,
}

/// The built-in group of owners. It always exists and cannot be deleted or renamed.
pub const OWNERS: GroupId = GroupId::from_bytes([0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);

/// The name of [`OWNERS`].
pub const OWNERS_NAME: &str = "owners";

/// A set of principals. Groups nest; a cycle is harmless and makes its members equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Which group.
    pub id: GroupId,
    /// Its name, unique among groups.
    pub name: Name,
    /// The groups whose rights its members inherit.
    #[serde(default)]
    pub parents: Vec<GroupId>,
}
