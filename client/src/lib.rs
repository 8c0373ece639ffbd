//! The user's command.
#![forbid(unsafe_code)]
