//! Who may do what: grants, policies, and the times that both of them speak of.

use crate::{Labels, Time};
use postern_ids::Name;
use serde::{Deserialize, Serialize};

/// What can be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Open a byte stream to it.
    Connect,
    /// Send requests to it.
    Http,
}

/// A rule in its simple form: who may do what with which resources, when, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantDocument {
    /// Its name.
    pub name: Name,
    /// Who; any of these.
    pub subjects: Vec<SubjectSpec>,
    /// Which resources.
    pub resources: SelectorSpec,
    /// What; any of these.
    pub actions: Vec<Action>,
    /// What must hold as well.
    #[serde(default, skip_serializing_if = "ConditionsSpec::is_empty")]
    pub conditions: ConditionsSpec,
    /// When the grant ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// What happens while the store cannot be reached.
    #[serde(default, skip_serializing_if = "OutageSpec::is_standard")]
    pub outage: OutageSpec,
}

/// One subject of a grant: `{group: engineers}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SubjectSpec {
    /// A person.
    User(Name),
    /// The members of a group.
    Group(Name),
    /// A program.
    #[serde(alias = "service-account")]
    ServiceAccount(Name),
    /// Every person who is signed in (`everyone`).
    Everyone,
}

/// The resources of a grant: `all`, or exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SelectorSpec {
    /// These resources.
    Names(Vec<Name>),
    /// Resources with all of these labels.
    Labels(Labels),
    /// The resources of one site.
    Site(Name),
    /// Every resource (`all`).
    All,
}

/// What must hold for a grant to count; all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionsSpec {
    /// One of these calendar windows is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Name>,
    /// The caller's address lies in one of these networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_cidrs: Vec<String>,
    /// The sign-in is younger than this threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_within: Option<Name>,
    /// The second factor was checked within this threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_within: Option<Name>,
    /// The identity provider said one of these words of the sign-in (`acr`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
}

impl ConditionsSpec {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A rule as Cedar text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Its name.
    pub name: Name,
    /// Exactly one Cedar policy.
    pub text: String,
    /// What happens while the store cannot be reached.
    #[serde(default, skip_serializing_if = "OutageSpec::is_standard")]
    pub outage: OutageSpec,
}

/// What a permit is worth while the store cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OutageSpec {
    /// It admits until the gateway's limit; live sessions go on.
    #[default]
    Standard,
    /// It admits for this many seconds.
    FailStatic(u32),
    /// It admits until the gateway's limit, and then also cuts live sessions.
    FailClosed,
}

impl OutageSpec {
    /// Whether it is the default.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A calendar window: these days from this time to that, in this zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowDocument {
    /// Its name.
    pub name: Name,
    /// An IANA time zone: `Europe/Paris`.
    pub zone: String,
    /// The days on which it opens.
    pub days: Vec<Day>,
    /// When it opens: `09:00`.
    pub from: String,
    /// When it closes: `17:30`; before `from` it closes on the next day.
    pub to: String,
}

/// A named age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdDocument {
    /// Its name.
    pub name: Name,
    /// The age in seconds.
    pub seconds: u32,
}
