//! The command as a process, against gateways in a few lines: exit codes, what stands on which stream, many commands at
//! once, and streams that outlive their links.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod exits;
mod forwards;
mod gateway;
mod restarts;
mod resume;
mod tokens;
