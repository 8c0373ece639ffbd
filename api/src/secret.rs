//! Secrets in documents: written down as where they come from, sent as a value, never shown.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a secret comes from. Files name an environment variable or another file; the command reads it and sends the value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Secret {
    /// The environment variable of the command that applies the file.
    #[serde(rename = "fromEnv")]
    FromEnv(String),
    /// A file beside the one that is applied, or an absolute path.
    #[serde(rename = "fromFile")]
    FromFile(String),
    /// The secret itself: on the wire only.
    #[serde(rename = "value")]
    Value(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromEnv(name) => write!(f, "FromEnv({name})"),
            Self::FromFile(path) => write!(f, "FromFile({path})"),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}
