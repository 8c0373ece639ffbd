//! The kinds of objects.

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
    /// An identity provider.
    Provider = "provider", "providers";
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
