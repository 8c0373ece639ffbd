//! The knobs that belong to the installation, not to one rule.

use serde::{Deserialize, Serialize};

/// Installation-wide limits on sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Seconds without confirmation from the store after which new sessions are denied (D4).
    pub max_staleness_s: u32,
    /// The longest a session may live, in seconds; none means as long as it is allowed.
    pub session_max_s: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_staleness_s: 300, session_max_s: None }
    }
}
