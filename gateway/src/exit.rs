//! How the process ends, in the codes of sysexits that service managers and scripts understand.

use std::process::ExitCode;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(String),
    /// Something that is needed is not there: the store, the address.
    #[error("{0}")]
    Unavailable(String),
    /// The same attempt may succeed later.
    #[error("{0}")]
    Temporary(String),
    /// The node lacks a right: a file, a port, a key.
    #[error("{0}")]
    NotPermitted(String),
    /// A mistake of ours.
    #[error("{0}")]
    Software(String),
}

impl Failure {
    /// The code of sysexits.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Config(_) => 78,
            Self::Unavailable(_) => 69,
            Self::Temporary(_) => 75,
            Self::NotPermitted(_) => 77,
            Self::Software(_) => 70,
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.code())
    }
}

/// An error with everything that it stands on.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
