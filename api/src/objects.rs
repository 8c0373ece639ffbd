//! Objects as the API shows them: a document plus what the store knows about it.

use crate::Document;
use serde::{Deserialize, Serialize};

/// One object. A reader that only shows it takes the document as it comes: a newer gateway's has fields that it cannot know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<D = Document> {
    /// Its id; windows and thresholds are known by their name only.
    pub id: String,
    /// How often it was written; a change names the version it is based on.
    pub version: u64,
    /// What it is. Secrets are left out.
    pub document: D,
}

/// A page of objects. Lists are complete up to the limit of their route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// The objects, by name or newest first.
    pub items: Vec<T>,
}

/// An id and the name that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The id.
    pub id: String,
    /// The name at the time; empty when the object is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Host keys of an SSH resource: those that a probe saw, or those that an administrator vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostKeysRequest {
    /// Keys as in `known_hosts`: `ssh-ed25519 AAAA…`. To confirm, they replace those that were confirmed before.
    pub keys: Vec<String>,
}
