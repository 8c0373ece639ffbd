//! The words of the REST API and of the tunnel's metadata: requests, replies, problems and declarative documents.
//!
//! Everything here is data that both ends read; behavior lives on either side. What is asked for, requests and documents,
//! refuses fields that it does not know, so a misspelled or smuggled member is an error and never silence. What is answered is
//! read whatever else it says: a command goes on working with a gateway that tells more than it knows. The words of connector
//! enrolment live in `postern-token`, because a connector knows that crate and not this one.
#![forbid(unsafe_code)]

mod access;
mod app_tokens;
mod connectors;
mod decisions;
mod documents;
mod kind;
mod labels;
mod me;
pub mod oauth;
mod objects;
mod plan;
mod problem;
mod providers;
mod secret;
mod sessions;
mod time;
pub mod tunnel;
pub mod web;

pub use access::{BootstrapRequest, IssueTokenRequest, IssuedToken, TokenKind, TokenView, UserSwitched};
pub use app_tokens::{AppTokenView, IssueAppTokenRequest, IssuedAppToken};
pub use connectors::{
    ConnectorState, ConnectorView, EnrolmentTokenReply, EnrolmentTokenRequest, KeyRotation,
};
pub use decisions::{DecisionView, DeterminingPolicy, ExplainRequest, Outcome};
pub use documents::{
    AbsentDocument, Action, ConditionsSpec, Day, Document, GrantDocument, GroupDocument, OutageSpec,
    PolicyDocument, ResourceDocument, ResourceKind, SelectorSpec, ServiceAccountDocument, SiteDocument,
    SubjectSpec, ThresholdDocument, UserDocument, WindowDocument,
};
pub use kind::ObjectKind;
pub use labels::Labels;
pub use me::{HostKeyView, Me, MyResource, SignInView};
pub use objects::{HostKeysRequest, List, Object, ObjectRef};
pub use plan::{ApplyRequest, Change, ChangeKind, FieldDiff, Plan};
pub use problem::{Problem, ProblemCode};
pub use providers::{ClaimsFrom, ProviderDocument};
pub use secret::Secret;
pub use sessions::{EndSessionReply, PrincipalKind, PrincipalView, SessionView};
pub use time::Time;
