//! What a change says about itself: who made it, what it touched, and its lines in the audit.

use super::Revision;
use crate::Kind;
use postern_ids::{ConnectorId, ServiceAccountId, SignInId, UserId};
use serde::{Deserialize, Serialize};

/// Who makes a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person.
    User {
        /// Who.
        id: UserId,
        /// Under which sign-in.
        sign_in: Option<SignInId>,
    },
    /// A program.
    ServiceAccount {
        /// Which.
        id: ServiceAccountId,
    },
    /// A connector, about itself.
    Connector {
        /// Which.
        id: ConnectorId,
    },
    /// The gateway itself, for the named reason.
    System {
        /// Why, in a word.
        reason: String,
    },
}

impl Actor {
    /// The gateway itself.
    pub fn system(reason: &str) -> Self {
        Self::System { reason: reason.to_owned() }
    }
}

/// The parts of a policy snapshot, as the revisions in `meta` know them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    pub(super) rules: bool,
    pub(super) places: bool,
    pub(super) revoked: bool,
}

impl Parts {
    pub(super) fn touch(&mut self, kind: Kind) {
        match kind {
            Kind::Grant | Kind::Policy | Kind::Window | Kind::Threshold | Kind::Settings => self.rules = true,
            Kind::Site | Kind::Connector | Kind::Resource | Kind::Group => self.places = true,
            Kind::User
            | Kind::ServiceAccount
            | Kind::ServiceToken
            | Kind::AppToken
            | Kind::SignIn
            | Kind::Session => {
                self.revoked = true;
            }
            Kind::EnrolmentToken | Kind::Provider | Kind::SigningKey => {}
        }
    }
}

/// What an audit row of an administrative change says.
#[derive(Serialize)]
struct AuditBody<'a> {
    actor: &'a Actor,
    id: &'a str,
    revision: Revision,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a serde_json::Value>,
}

/// One line of the audit, written at commit.
pub(crate) struct Note {
    pub(crate) kind: Kind,
    /// A past participle: `created`, `updated`, `deleted`, `revoked` …
    pub(crate) action: &'static str,
    pub(crate) id: String,
    pub(crate) before: Option<serde_json::Value>,
    pub(crate) after: Option<serde_json::Value>,
}

impl Note {
    pub(crate) fn new(kind: Kind, action: &'static str, id: &dyn std::fmt::Display) -> Self {
        Self { kind, action, id: id.to_string(), before: None, after: None }
    }

    /// The kind and the body of the audit row.
    pub(super) fn row(
        &self,
        actor: &Actor,
        revision: Revision,
    ) -> Result<(String, String), serde_json::Error> {
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let body = serde_json::to_string(&AuditBody { actor, id: &self.id, revision, before, after })?;
        Ok((format!("{}.{}", self.kind.label(), self.action), body))
    }
}
