//! The decision: pure, in microseconds.

use crate::{DecisionRecord, Deny, Permit, Request, Snapshot, Staleness};
use postern_ids::Timestamp;

/// Decides whether a session may begin.
pub fn decide(
    _request: &Request,
    _snapshot: &Snapshot,
    _staleness: Staleness,
    _now: Timestamp,
) -> Result<Permit, Deny> {
    todo!()
}

/// What [`decide`] would answer, without making a permit. A user without a credential is taken to have just signed in
/// with every factor.
pub fn explain_hypothetical(
    _request: &Request,
    _snapshot: &Snapshot,
    _staleness: Staleness,
    _now: Timestamp,
) -> DecisionRecord {
    todo!()
}
