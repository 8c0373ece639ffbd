//! Declarative documents: what an administrator writes down, one `kind` each, referring to each other by name.

mod people;
mod rules;

pub use people::{GroupDocument, ServiceAccountDocument, UserDocument};
pub use rules::{
    Action, ConditionsSpec, Day, GrantDocument, OutageSpec, PolicyDocument, SelectorSpec, SubjectSpec,
    ThresholdDocument, WindowDocument,
};

use crate::{Labels, ObjectKind, ProviderDocument, web::WebDocument};
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
    #[serde(alias = "service-account")]
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

/// An object that must not exist: applying this deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentDocument {
    /// The kind of the object.
    pub object: ObjectKind,
    /// Its name.
    pub name: Name,
}
