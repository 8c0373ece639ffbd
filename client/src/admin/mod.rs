//! The commands that administer: each one call or two to the API.

pub mod apply;
pub mod connectors;
mod documents;
pub mod explain;
pub mod get;
pub mod host_keys;
pub mod sessions;
pub mod tokens;
pub mod users;
