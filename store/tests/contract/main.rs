//! What the store promises, proven on both databases. Postgres takes part when `POSTERN_TEST_POSTGRES` names a server
//! (`postgres://user@host:port`) whose user may create databases; each test makes its own.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod fixture;
#[path = "../support/permits.rs"]
#[expect(unreachable_pub, reason = "shared with the tests inside of the crate")]
mod permits;

mod changes;
mod credentials;
mod ended_sessions;
mod enrolments;
mod feeds;
mod journals;
mod let_in;
mod master_keys;
mod objects;
mod opening;
mod outages;
mod owners;
mod resumes;
mod tokens;
