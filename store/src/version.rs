//! Optimistic concurrency: which state of an object a writer has seen.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of writes an object has seen; a writer states the one it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a writer expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the object is created.
    New,
    /// Exactly this version.
    At(Version),
    /// The object, at whatever version.
    Any,
}
