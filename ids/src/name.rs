//! Names and labels that were checked at the door; a value of these types is safe in a shell word, a host name and a log line.

use serde::{Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// A name or label that breaks the rules for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than the limit.
    #[error("must have 1 to {max} characters, has {len}")]
    Length {
        /// Characters found.
        len: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character outside the alphabet of this kind.
    #[error("character {bad:?} is not allowed: use {alphabet}")]
    Character {
        /// The first such character.
        bad: char,
        /// What the alphabet holds, in words.
        alphabet: &'static str,
    },
    /// It starts or ends with punctuation.
    #[error("must start and end with a letter or a digit")]
    Edge,
}

fn check(text: &str, max: usize, allowed: fn(char) -> bool, alphabet: &'static str) -> Result<(), NameError> {
    let len = text.chars().count();
    if len == 0 || len > max {
        return Err(NameError::Length { len, max });
    }
    if let Some(bad) = text.chars().find(|&c| !allowed(c)) {
        return Err(NameError::Character { bad, alphabet });
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(text.chars().next()) || !edge(text.chars().next_back()) {
        return Err(NameError::Edge);
    }
    Ok(())
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { max: $max:literal, allowed: $allowed:expr, alphabet: $alphabet:literal })*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest text of this kind, in characters.
            pub const MAX: usize = $max;

            /// The checked text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $max, $allowed, $alphabet)?;
                Ok(Self(text.into()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    )*};
}

names! {
    /// The name of a site, resource, group, grant, policy, connector or service account: lower-case letters,
    /// digits, `.`, `_` and `-`, at most 63 characters, a letter or digit at both ends.
    Name {
        max: 63,
        allowed: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'),
        alphabet: "lower-case letters, digits, `.`, `_` and `-`"
    }
    /// The key of a label; the alphabet of [`Name`].
    LabelKey {
        max: 63,
        allowed: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'),
        alphabet: "lower-case letters, digits, `.`, `_` and `-`"
    }
    /// The value of a label: letters of both cases, digits, `.`, `_` and `-`.
    LabelValue {
        max: 63,
        allowed: |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
        alphabet: "letters, digits, `.`, `_` and `-`"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_shell_could_read_is_refused() {
        for bad in ["", "-o", "a b", "$(id)", "`id`", "a\n", "UPPER", "a/b", "é", "-oproxycommand", "a-"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(64).parse::<Name>().is_err());
        assert!("db-1.prod_eu".parse::<Name>().is_ok());
    }

    #[test]
    fn a_refused_character_is_told_with_what_is_allowed() {
        let told = "Olivia".parse::<Name>().map_err(|error| error.to_string());
        let said = "character 'O' is not allowed: use lower-case letters, digits, `.`, `_` and `-`";
        assert_eq!(told, Err(said.to_owned()));
    }
}
