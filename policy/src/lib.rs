//! What may be done, by whom, until when: entities, Cedar evaluation, snapshots, `decide`, permits and the table of
//! live sessions.
//!
//! Pure: no clock, no randomness, no socket, no storage. The time, ids and everything that was read come as arguments, so
//! the same inputs give the same decision on every node and in every test.
#![forbid(unsafe_code)]

pub mod admin;
mod decide;
mod deny;
pub mod live;
pub mod model;
mod permit;
mod record;
mod request;
mod snapshot;
mod source;

pub use decide::{decide, explain_hypothetical};
pub use deny::{Deny, DenyReason};
pub use permit::Permit;
pub use record::{DecisionRecord, NearMiss, Outcome, RecordedPrincipal, RecordedResource, RecordedRule};
pub use request::{Action, Asked, HttpRequest, Request, Staleness};
pub use snapshot::{Position, Snapshot, SnapshotError};
pub use source::{Places, Revoked, Rules, SnapshotSource};
