//! A table of live sessions to try things on.

use crate::world::*;
use postern_ids::{Ended, SessionId};
use postern_policy::{
    Permit, Request, Snapshot, Staleness, decide,
    live::{Current, LiveTable},
    model::Principal,
};
use std::sync::Arc;

pub(crate) type Table = LiveTable<&'static str>;

pub(crate) fn current(snapshot: &Arc<Snapshot>, principal: &Arc<Principal>) -> Current {
    Current { snapshot: snapshot.clone(), staleness: Staleness::FRESH, principal: Some(principal.clone()) }
}

pub(crate) fn permit(snapshot: &Snapshot, request: &Request) -> Permit {
    decide(request, snapshot, Staleness::FRESH, NOW).unwrap()
}

pub(crate) fn enter(table: &Table, snapshot: &Arc<Snapshot>, request: &Request) {
    let answer =
        table.enter(permit(snapshot, request), "handle", || current(snapshot, &request.principal), NOW);
    assert!(answer.unwrap().is_entered());
}

pub(crate) fn nth(n: u16, principal: &Arc<Principal>) -> Request {
    Request { session: session(n), ..asks(principal) }
}

/// What a full pass cuts.
pub(crate) fn cuts(table: &Table, snapshot: &Arc<Snapshot>) -> Vec<(SessionId, Ended)> {
    let mut pass = table.reconcile(snapshot.clone(), Staleness::FRESH, NOW);
    let mut all = Vec::new();
    while !pass.is_done() {
        all.extend(pass.step(3).into_iter().map(|cut| (cut.session, cut.ended)));
    }
    all.sort_unstable_by_key(|(session, _)| *session);
    all
}
