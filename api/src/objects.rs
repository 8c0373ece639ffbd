//! Objects as the API shows them: a document plus what the store knows about it.

use crate::Document;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $path:literal;)*) => {
        /// The kinds of objects that documents describe.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ObjectKind { $($(#[$doc])* $variant,)* }

        impl ObjectKind {
            /// Every kind, in the order in which they can be created: what others refer to comes first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in documents.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The segment in the API's paths.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path,)* }
            }

            /// The kind that a path segment names.
            pub fn from_path(path: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.path() == path)
            }
        }
    };
}

kinds! {
    /// A private network.
    Site = "site", "sites";
    /// A calendar window.
    Window = "window", "windows";
    /// A named age.
    Threshold = "threshold", "thresholds";
    /// A set of principals.
    Group = "group", "groups";
    /// A person.
    User = "user", "users";
    /// A program.
    ServiceAccount = "service_account", "service-accounts";
    /// Something reachable at a site.
    Resource = "resource", "resources";
    /// A rule in its simple form.
    Grant = "grant", "grants";
    /// A rule as Cedar text.
    Policy = "policy", "policies";
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its id; windows and thresholds are known by their name only.
    pub id: String,
    /// How often it was written; a change names the version it is based on.
    pub version: u64,
    /// What it is. Secrets are left out.
    pub document: Document,
}

/// A page of objects. Lists are complete up to the limit of their route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List<T> {
    /// The objects, by name or newest first.
    pub items: Vec<T>,
}

/// An id and the name that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// The id.
    pub id: String,
    /// The name at the time; empty when the object is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// The host keys of an SSH resource that an administrator vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostKeysRequest {
    /// Keys as in `known_hosts`: `ssh-ed25519 AAAA…`. They replace those that were confirmed before.
    pub keys: Vec<String>,
}
