//! What may be done, by whom, until when: entities, Cedar evaluation, snapshots, `decide`, permits and the table of
//! live sessions.
//!
//! Pure: no clock, no randomness, no socket, no storage. The time, ids and everything that was read come as arguments, so
//! the same inputs give the same decision on every node and in every test.
#![forbid(unsafe_code)]

pub mod admin;
mod alike;
mod calendar;
pub mod dataset;
mod decide;
mod deny;
mod error;
mod evaluate;
mod fault;
mod groups;
mod judge;
mod limits;
pub mod live;
pub mod model;
mod near;
mod permit;
mod places;
mod reason;
mod record;
mod request;
mod rules;
mod ruling;
mod snapshot;
mod source;
mod split;
mod step_up;
mod verdicts;

pub use decide::{decide, explain_hypothetical, reachable};
pub use deny::Deny;
pub use error::SnapshotError;
pub use fault::{Position, RuleFault};
pub use permit::Permit;
pub use reason::DenyReason;
pub use record::{DecisionRecord, NearMiss, Outcome, RecordedPrincipal, RecordedResource, RecordedRule};
pub use request::{Action, Asked, HttpRequest, Request, Staleness};
pub use rules::{ADMIN_SCHEMA, SCHEMA, check_policy, exchange_entities, quoted};
pub use snapshot::Snapshot;
pub use source::{Places, Revoked, Rules, SnapshotSource};
pub use step_up::{Fresher, would_help};
pub use verdicts::Verdicts;
