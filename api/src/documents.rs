//! Declarative documents: what an administrator writes down, one `kind` each, referring to each other by name.

use crate::{Labels, ObjectKind, ProviderDocument, Secret, Time, web::WebDocument};
use postern_ids::Name;
use serde::{Deserialize, Serialize};

/// One document of a declarative file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Document {
    /// A private network.
    Site(SiteDocument),
    /// Something reachable at a site.
    Resource(ResourceDocument),
    /// A set of principals.
    Group(GroupDocument),
    /// An identity provider.
    Provider(Box<ProviderDocument>),
    /// A person.
    User(UserDocument),
    /// A program.
    ServiceAccount(ServiceAccountDocument),
    /// A rule in its simple form.
    Grant(GrantDocument),
    /// A rule as Cedar text.
    Policy(PolicyDocument),
    /// A calendar window.
    Window(WindowDocument),
    /// A named age.
    Threshold(ThresholdDocument),
    /// An object that must not exist.
    Absent(AbsentDocument),
}

impl Document {
    /// The kind of the object that this document is about.
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Site(_) => ObjectKind::Site,
            Self::Resource(_) => ObjectKind::Resource,
            Self::Group(_) => ObjectKind::Group,
            Self::Provider(_) => ObjectKind::Provider,
            Self::User(_) => ObjectKind::User,
            Self::ServiceAccount(_) => ObjectKind::ServiceAccount,
            Self::Grant(_) => ObjectKind::Grant,
            Self::Policy(_) => ObjectKind::Policy,
            Self::Window(_) => ObjectKind::Window,
            Self::Threshold(_) => ObjectKind::Threshold,
            Self::Absent(absent) => absent.object,
        }
    }

    /// The name of the object that this document is about.
    pub fn name(&self) -> &Name {
        match self {
            Self::Site(document) => &document.name,
            Self::Resource(document) => &document.name,
            Self::Group(document) => &document.name,
            Self::Provider(document) => &document.name,
            Self::User(document) => &document.name,
            Self::ServiceAccount(document) => &document.name,
            Self::Grant(document) => &document.name,
            Self::Policy(document) => &document.name,
            Self::Window(document) => &document.name,
            Self::Threshold(document) => &document.name,
            Self::Absent(document) => &document.name,
        }
    }
}

/// A private network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDocument {
    /// Its name.
    pub name: Name,
}

/// What speaks at a resource's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A web application.
    Http,
    /// An SSH server.
    Ssh,
    /// Any other service over TCP.
    Tcp,
}

/// Something reachable at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceDocument {
    /// Its name.
    pub name: Name,
    /// The site whose connectors reach it.
    pub site: Name,
    /// What speaks there.
    #[serde(rename = "type")]
    pub protocol: ResourceKind,
    /// `host:port` as the site's connectors see it.
    pub target: String,
    /// Labels that rules can select by.
    #[serde(default, skip_serializing_if = "labels_are_empty")]
    pub labels: Labels,
    /// How it is published, for a web application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<Box<WebDocument>>,
}

fn labels_are_empty(labels: &Labels) -> bool {
    labels.is_empty()
}

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

/// An object that must not exist: applying this deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentDocument {
    /// The kind of the object.
    pub object: ObjectKind,
    /// Its name.
    pub name: Name,
}
