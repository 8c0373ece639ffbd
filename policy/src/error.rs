//! Why a source makes no snapshot.

use crate::fault::{Position, RuleFault};
use postern_ids::Name;

/// Why a source makes no snapshot. The whole of it is refused: a rule is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The source is older than what it would replace (D6).
    #[error("revision {offered} is older than {current}")]
    WentBack {
        /// The revision in use.
        current: u64,
        /// The revision offered.
        offered: u64,
    },
    /// A policy or grant does not compile.
    #[error("{kind} {name} ({id}): {message}{}", position.map(|p| format!(" at {p}")).unwrap_or_default())]
    Rule {
        /// `policy` or `grant`.
        kind: &'static str,
        /// The id of the rule.
        id: String,
        /// Its name.
        name: String,
        /// Where in its text, if that is known.
        position: Option<Position>,
        /// What is wrong, for the person who wrote it.
        message: String,
    },
    /// A window or threshold is unusable.
    #[error("window {name}: {message}")]
    Window {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Two things of one kind share what must be unique.
    #[error("two {kind} are called {name}")]
    Duplicate {
        /// The kind of thing.
        kind: &'static str,
        /// The shared id or name.
        name: String,
    },
    /// There is more than this can hold within its promised speed.
    #[error("{count} {what}, at most {max} are supported")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The policy engine refused what was checked before.
    #[error("the policy engine refused a checked rule: {0}")]
    Internal(String),
}

impl SnapshotError {
    pub(crate) fn rule(kind: &'static str, id: &str, name: &Name, fault: RuleFault) -> Self {
        Self::Rule {
            kind,
            id: id.to_owned(),
            name: name.as_str().to_owned(),
            position: fault.position,
            message: fault.message,
        }
    }
}
