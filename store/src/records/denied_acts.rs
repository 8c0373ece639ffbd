//! Denials of administrative acts. They change nothing, so they move no revision, but they belong into the audit.

use crate::{Actor, ChangeError, Store};
use postern_ids::{DecisionId, Timestamp};
use serde::Serialize;
use std::net::IpAddr;

/// An administrative act that was denied.
#[derive(Debug, Clone, Serialize)]
pub struct DeniedAct {
    /// Who wanted to.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// The id of the decision, as it was shown; none where a secret was asked for and no policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// What was to be done.
    pub action: &'static str,
    /// Why not.
    pub reason: &'static str,
    /// From where.
    pub source: IpAddr,
}

/// Denied acts that were only counted.
#[derive(Debug, Clone, Serialize)]
pub struct SuppressedActs {
    /// Whose acts; `*` for those of everybody who was not counted apart.
    pub principal: String,
    /// How many.
    pub count: u64,
}

impl Store {
    /// Writes denied acts, and counts of others, into the audit.
    pub async fn record_denied_acts(
        &self,
        acts: &[DeniedAct],
        suppressed: &[SuppressedActs],
        now: Timestamp,
    ) -> Result<(), ChangeError> {
        let mut change = self.change(Actor::system("admin_denials"), now).await?;
        for act in acts {
            change.record("admin.denied", act)?;
        }
        for counted in suppressed {
            change.record("admin.denials_suppressed", counted)?;
        }
        change.commit().await?;
        Ok(())
    }
}
