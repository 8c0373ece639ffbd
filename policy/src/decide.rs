//! The decision: pure, in microseconds.

use crate::{
    deny::Deny,
    judge::{No, Stage, Yes, judge},
    model::{Credential, PathReading, PrincipalId, Resource, ResourceKind, SignIn},
    permit::Permit,
    record::DecisionRecord,
    request::{Action, Asked, HttpRequest, Request, Staleness},
    snapshot::Snapshot,
};
use postern_ids::{SignInId, Timestamp};
use std::sync::Arc;

/// Decides whether a session may begin.
pub fn decide(
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    now: Timestamp,
) -> Result<Permit, Deny> {
    let judged = judge(request, snapshot, staleness, Stage::Begins, now);
    answer(judged, request, snapshot, staleness, now)
}

/// What was judged, with everything that a record of it needs.
pub(crate) fn answer(
    judged: Result<Yes, No>,
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    now: Timestamp,
) -> Result<Permit, Deny> {
    match judged {
        Ok(yes) => Ok(Permit::new(request.clone(), &yes, snapshot, staleness, now)),
        Err(no) => Err(Deny::new(request.clone(), no, snapshot, staleness, now)),
    }
}

/// What [`decide`] would answer, without making a permit. A user without a credential is taken to have just signed in
/// with every factor.
pub fn explain_hypothetical(
    request: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    now: Timestamp,
) -> DecisionRecord {
    let mut request = request.clone();
    if matches!(request.principal.id, PrincipalId::User(_)) && request.credential == Credential::None {
        request.credential = Credential::SignIn(Arc::new(SignIn {
            id: SignInId::from_bytes([0; 16]),
            at: now,
            mfa_at: Some(now),
            acr: None,
            amr: Vec::new(),
            expires_at: Timestamp::MAX,
            idp: "local".into(),
        }));
    }
    match decide(&request, snapshot, staleness, now) {
        Ok(permit) => permit.record(),
        Err(deny) => deny.record(),
    }
}

/// The resources that a principal may reach from here at this moment: `connect`, or for web applications `GET /`.
pub fn reachable(
    template: &Request,
    snapshot: &Snapshot,
    staleness: Staleness,
    now: Timestamp,
) -> Vec<Arc<Resource>> {
    let root = |path: &str| Action::Http(Arc::new(HttpRequest { method: "GET".into(), path: path.into() }));
    let (read, unread) = (root("/"), root(""));
    let may = |resource: &Resource, action: Action| {
        let request = Request { resource: Asked::Id(resource.id), action, ..template.clone() };
        judge(&request, snapshot, staleness, Stage::Begins, now).is_ok()
    };
    let reachable = snapshot.resources().filter(|resource| {
        let root = match snapshot.path_reading(resource) {
            PathReading::Verbatim => &unread,
            PathReading::Auto | PathReading::Strict | PathReading::StrictOpaqueSlash => &read,
        };
        may(resource, Action::Connect) || (resource.kind == ResourceKind::Http && may(resource, root.clone()))
    });
    reachable.cloned().collect()
}
