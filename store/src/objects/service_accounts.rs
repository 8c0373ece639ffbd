//! Principals that are programs.

use postern_ids::{Name, ServiceAccountId};
use serde::{Deserialize, Serialize};

/// A program that may be given rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Its name; unique.
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// Whether every right is suspended.
    #[serde(default)]
    pub disabled: bool,
}
