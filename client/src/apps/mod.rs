//! Web applications from the command line: tokens for programs, and single requests.

mod ca;
pub mod curl;
pub mod token;
