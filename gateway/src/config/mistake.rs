//! What is wrong with a configuration, said so that the reader can put it right without the manual.

use std::{fmt, path::PathBuf};

/// Where a setting was given.
///
/// In the order of reading: the file from its top, then the environment, then flags; what stands nowhere comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// Nowhere: the default, or a setting that is missing.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// One mistake with its place and a way out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub at: Origin,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Mistake {
    /// A mistake at `at`.
    pub fn new(at: Origin, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  hint: {}", self.at, self.what, self.hint)
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// In the order in which a reader goes through what was written.
    pub(super) fn in_order(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| a.at.cmp(&b.at));
        Self(mistakes)
    }

    /// Those in what was given; nothing is called missing that a file may hold which could not be read.
    pub(super) fn in_what_was_given(self) -> Self {
        Self(self.0.into_iter().filter(|mistake| mistake.at != Origin::Nowhere).collect())
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}
