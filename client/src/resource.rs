//! How a person names a resource.

use postern_api::MyResource;
use postern_ids::{Name, ResourceId};
use std::{fmt, str::FromStr};

/// What `ssh` sees behind a resource's name, so that `~/.ssh/config` can tell ours from others.
pub const SUFFIX: &str = ".postern";

/// A resource by name or id: text that is safe in a shell word, a host name and a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef(String);

impl ResourceRef {
    /// The name or id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this one.
    pub fn names(&self, resource: &MyResource) -> bool {
        self.0 == resource.name.as_str() || self.0 == resource.id.to_string()
    }

    /// The host name under which ssh knows it.
    pub fn host(&self) -> String {
        format!("{}{SUFFIX}", self.0)
    }
}

impl FromStr for ResourceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // ssh passes host names on as they were typed.
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_suffix(SUFFIX).unwrap_or(&lower);
        if let Ok(id) = name.parse::<ResourceId>() {
            return Ok(Self(id.to_string()));
        }
        match name.parse::<Name>() {
            Ok(name) => Ok(Self(name.as_str().to_owned())),
            Err(error) => Err(format!("{text:?} is no resource name: {error}")),
        }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
