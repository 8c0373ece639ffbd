//! What is wrong with a rule, for the person who wrote it.

use cedar_policy::{ParseErrors, ValidationError};
use miette::Diagnostic;
use std::fmt;

/// Where in a rule's text something is wrong; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing that is wrong with a rule's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", position.map(|p| format!(" at {p}")).unwrap_or_default())]
pub struct RuleFault {
    /// What is wrong.
    pub message: String,
    /// Where, if that is known.
    pub position: Option<Position>,
}

impl RuleFault {
    /// A fault of the whole text.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), position: None }
    }

    /// A fault at a byte of the text.
    pub(crate) fn at(message: impl Into<String>, text: &str, offset: usize) -> Self {
        Self { message: message.into(), position: Some(position(text, offset)) }
    }

    /// A fault at the first occurrence of a word.
    pub(crate) fn at_word(message: impl Into<String>, text: &str, word: &str) -> Self {
        match text.find(word) {
            Some(offset) => Self::at(message, text, offset),
            None => Self::whole(message),
        }
    }

    pub(crate) fn of_parse(errors: &ParseErrors, text: &str) -> Self {
        match errors.iter().next() {
            Some(first) => Self::of_diagnostic(first, text),
            None => Self::whole("it does not parse"),
        }
    }

    pub(crate) fn of_validation(error: &ValidationError, text: &str) -> Self {
        Self::of_diagnostic(error, text)
    }

    fn of_diagnostic(diagnostic: &dyn Diagnostic, text: &str) -> Self {
        let mut message = diagnostic.to_string();
        if let Some(help) = diagnostic.help() {
            message = format!("{message} ({help})");
        }
        let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
        Self { message, position: offset.map(|offset| position(text, offset)) }
    }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Position { line: before.matches('\n').count() + 1, column }
}
