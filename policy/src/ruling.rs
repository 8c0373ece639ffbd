//! What permits and denials have in common: a decision with everything its record is worked out from. Holding it keeps
//! the parts of the snapshot alive that it was made on, so it is for the moment, not for the life of a session.

use crate::{
    evaluate::{sign_in, within},
    groups::GroupTree,
    judge::{No, Yes},
    places::Placed,
    record::{DecisionRecord, NearMiss, Outcome, RecordedPrincipal, RecordedResource, RecordedRule},
    request::{Request, Staleness},
    rules::{Compiled, Rule},
    snapshot::Snapshot,
};
use postern_ids::Timestamp;
use std::sync::Arc;

/// A decision and its grounds.
#[derive(Debug, Clone)]
pub(crate) struct Ruling {
    pub(crate) request: Request,
    pub(crate) placed: Option<Arc<Placed>>,
    pub(crate) revision: u64,
    pub(crate) staleness: Staleness,
    pub(crate) at: Timestamp,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) groups: Arc<GroupTree>,
    pub(crate) determining: Vec<(Arc<Rule>, Option<String>)>,
    pub(crate) fault: Option<String>,
}

impl Ruling {
    fn new(request: Request, snapshot: &Snapshot, staleness: Staleness, at: Timestamp) -> Self {
        Self {
            request,
            placed: None,
            revision: snapshot.revision(),
            staleness,
            at,
            compiled: snapshot.compiled.clone(),
            groups: snapshot.places.groups.clone(),
            determining: Vec::new(),
            fault: None,
        }
    }

    pub(crate) fn of_yes(
        request: Request,
        yes: &Yes,
        snapshot: &Snapshot,
        staleness: Staleness,
        at: Timestamp,
    ) -> Self {
        Self {
            placed: Some(yes.placed.clone()),
            determining: yes.determining.iter().map(|rule| (rule.clone(), None)).collect(),
            ..Self::new(request, snapshot, staleness, at)
        }
    }

    pub(crate) fn of_no(
        request: Request,
        no: No,
        snapshot: &Snapshot,
        staleness: Staleness,
        at: Timestamp,
    ) -> Self {
        Self {
            placed: no.placed,
            determining: no.determining,
            fault: no.fault,
            ..Self::new(request, snapshot, staleness, at)
        }
    }

    /// The record, with what came close where that was worked out.
    pub(crate) fn record(&self, outcome: Outcome, near: Vec<NearMiss>) -> DecisionRecord {
        let sign_in = sign_in(&self.request.credential);
        DecisionRecord {
            decision: self.request.decision,
            session: self.request.session,
            at: self.at,
            revision: self.revision,
            stale_s: self.staleness.as_secs(),
            outcome,
            principal: self.principal(),
            credential: self.request.credential.clone(),
            asked: self.request.resource.clone(),
            resource: self.placed.as_ref().map(|placed| RecordedResource::of(&placed.resource)),
            action: self.request.action.clone(),
            source: self.request.source,
            windows: self.compiled.calendar.open(self.at),
            sign_in_within: within(&self.compiled, sign_in.map(|s| s.at), self.at),
            mfa_within: within(&self.compiled, sign_in.and_then(|s| s.mfa_at), self.at),
            determining: self
                .determining
                .iter()
                .map(|(rule, error)| RecordedRule::of(rule, error.clone()))
                .collect(),
            fault: self.fault.clone(),
            near,
        }
    }

    fn principal(&self) -> RecordedPrincipal {
        let principal = &self.request.principal;
        let groups = self.groups.with_inherited(&principal.groups);
        RecordedPrincipal {
            id: principal.id,
            name: principal.name.clone(),
            groups: groups.into_iter().map(|id| (id, self.groups.name(id).cloned())).collect(),
        }
    }
}
