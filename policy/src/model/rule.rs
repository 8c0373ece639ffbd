//! What says yes and no: Cedar text, and grants as the simple form that compiles to it.

use ipnet::IpNet;
use postern_ids::{
    GrantId, GroupId, LabelKey, LabelValue, Name, PolicyId, ResourceId, ServiceAccountId, SiteId, Timestamp,
    UserId,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What a permit is worth while the policy store cannot be reached (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outage {
    /// Admits sessions until `max_staleness`; live ones go on.
    #[default]
    Standard,
    /// Admits sessions until the snapshot is `ttl_s` seconds stale; live ones go on.
    FailStatic {
        /// Seconds of staleness up to which it admits.
        ttl_s: u32,
    },
    /// Admits until `max_staleness`, and then also cuts the sessions that depend on it.
    FailClosed,
}

/// One Cedar policy, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Which policy.
    pub id: PolicyId,
    /// Its name, unique among policies.
    pub name: Name,
    /// Exactly one Cedar policy.
    pub text: String,
    /// What its permit is worth during an outage; a forbid always holds.
    #[serde(default)]
    pub outage: Outage,
}

/// Who a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One person.
    User(UserId),
    /// Everybody in a group and its descendants.
    Group(GroupId),
    /// One program.
    ServiceAccount(ServiceAccountId),
    /// Every person who is signed in.
    Everyone,
}

/// Text that is not a [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a subject: expected a user, group or service-account id, or `everyone`")]
pub struct SubjectError;

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text == "everyone" {
            return Ok(Self::Everyone);
        }
        let user = text.parse().map(Self::User).ok();
        let group = || text.parse().map(Self::Group).ok();
        let account = || text.parse().map(Self::ServiceAccount).ok();
        user.or_else(group).or_else(account).ok_or(SubjectError)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Group(id) => id.fmt(f),
            Self::ServiceAccount(id) => id.fmt(f),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which resources a grant is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Every resource.
    All,
    /// These resources.
    Ids(Vec<ResourceId>),
    /// Resources that carry all of these labels.
    Labels(BTreeMap<LabelKey, LabelValue>),
    /// Every resource of a site.
    Site(SiteId),
}

/// What a grant lets its subjects do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Open a byte stream.
    Connect,
    /// Send HTTP requests.
    Http,
}

impl ActionKind {
    /// The word used in rules, JSON and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Http => "http",
        }
    }
}

/// When a grant holds. Everything stated must hold; an empty condition always holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// At least one of these windows is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Name>,
    /// The source address lies in at least one of these networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_cidrs: Vec<IpNet>,
    /// The sign-in is younger than this threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_within: Option<Name>,
    /// The second factor was checked within this threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_within: Option<Name>,
    /// The provider said one of these words of the sign-in (`acr`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
}

/// The simple form of a permit: subjects × resources × actions, under conditions, until an expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Which grant.
    pub id: GrantId,
    /// Its name, unique among grants.
    pub name: Name,
    /// Who it is for.
    pub subjects: Vec<Subject>,
    /// What it is about.
    pub resources: Selector,
    /// What may be done.
    pub actions: Vec<ActionKind>,
    /// When it holds.
    #[serde(default)]
    pub conditions: Conditions,
    /// When it ends by itself, if ever.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// What it is worth during an outage.
    #[serde(default)]
    pub outage: Outage,
}
