//! The data that rules speak about and that rules are made of: what the store loads and the API edits.

mod calendar;
mod people;
mod place;
mod rule;
mod settings;
mod web;

pub use calendar::{Threshold, Weekday, Window};
pub use people::{
    Credential, Group, OWNERS, OWNERS_NAME, Principal, PrincipalId, PrincipalKind, SignIn, TokenFacts,
};
pub use place::{
    Connector, ConnectorState, HostKey, HostKeyState, Resource, ResourceKind, Site, Target, TargetError,
};
pub use rule::{ActionKind, Conditions, Grant, Outage, PolicyText, Selector, Subject, SubjectError};
pub use settings::Settings;
pub use web::{
    Compatible, HeaderRules, Identity, PathReading, PublicPath, Timeouts, UnderscoreRule, Upstream,
    UpstreamHost, UpstreamProtocol, UpstreamTls, Web,
};
