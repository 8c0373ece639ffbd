//! What applying documents would change, or did.

use crate::{Document, ObjectKind};
use postern_ids::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Documents to apply, all or nothing. `?dry_run=true` only plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// The documents; an object may be named once.
    pub documents: Vec<Document>,
    /// The revision that the caller's plan was made at; another one is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_revision: Option<u64>,
}

/// What happens to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It did not exist.
    Create,
    /// It exists and differs.
    Update,
    /// It exists and must not.
    Delete,
}

/// One field that differs. Secrets show as `"(changed)"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// The path of the field in the document: `labels.env`.
    pub field: String,
    /// What it was; `null` when it was not set.
    pub before: Value,
    /// What it becomes; `null` when it is removed.
    pub after: Value,
}

/// One object that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub change: ChangeKind,
    /// The kind of the object.
    pub object: ObjectKind,
    /// Its name.
    pub name: Name,
    /// Every field that differs.
    pub fields: Vec<FieldDiff>,
}

/// The plan, or what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether the changes were made.
    pub applied: bool,
    /// The revision the plan is based on, or the one that the changes made.
    pub revision: u64,
    /// The changes in the order in which they are made.
    pub changes: Vec<Change>,
    /// How many documents already say what is so.
    pub unchanged: u32,
}
