//! Why something was allowed or denied, or would be.

use super::{names, sessions};
use crate::{
    WebState,
    body::Json as Body,
    caller::{self, Caller},
    problem::Failure,
};
use axum::{
    Json,
    extract::{Path, State},
};
use postern_api::{Action, DecisionView, DeterminingPolicy, ExplainRequest, ObjectRef, Outcome};
use postern_ids::{DecisionId, Refusal, SessionId};
use postern_policy::{
    Action as Asked, Asked as AskedFor, DecisionRecord, HttpRequest, Outcome as Recorded, Request, Snapshot,
    admin::AdminAction,
    explain_hypothetical,
    model::{Credential, PathReading, Principal, Resource, ResourceKind},
};
use std::sync::Arc;

pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<DecisionView>, Failure> {
    let not_found = || Failure::not_found("decision");
    let id: DecisionId = id.parse().map_err(|_| not_found())?;
    let entry = state.store().decision(id).await?.ok_or_else(not_found)?;
    let owner = caller.could(&state, AdminAction::Explain);
    if !owner && entry.record.principal.id != caller.principal.id {
        tracing::info!(principal.id = %caller.principal.id, decision.id = %id, reason = "ownership", "authz.denied");
        return Err(not_found());
    }
    let resumed = entry.generation.filter(|_| entry.is_resume);
    let seen = view(&entry.record, owner);
    Ok(Json(DecisionView { session: Some(entry.record.session), resumed, ..seen }))
}

pub(super) async fn explain(
    State(state): State<WebState>,
    caller: Caller,
    Body(asked): Body<ExplainRequest>,
) -> Result<Json<DecisionView>, Failure> {
    let owner = caller.could(&state, AdminAction::Explain);
    let about = subject(&state, &caller, &asked).await?;
    let now = state.now();
    let at = asked.at.map_or(now, |at| at.0);
    let (principal, credential) = about;
    let found = names::find::<Resource>(&state, &asked.resource).await?.map(|stored| stored.value);
    let resource = asked_for(found.as_ref(), &asked.resource)?;
    let (snapshot, staleness) = state.config().snapshots.current();
    let request = Request {
        decision: DecisionId::mint(now, rand::random()),
        session: SessionId::mint(now, rand::random()),
        started_at: at,
        principal,
        credential,
        action: match asked.action.unwrap_or_else(|| usual(found.as_ref())) {
            Action::Connect => Asked::Connect,
            Action::Http => front_page(&snapshot, &resource),
        },
        resource,
        source: asked.source.unwrap_or(caller.address),
    };
    let view = view(&explain_hypothetical(&request, &snapshot, staleness, at), owner);
    // A decision that never came to look at the resource has only what was asked for.
    let known = found.map(|found| ObjectRef { id: found.id.to_string(), name: found.name.to_string() });
    Ok(Json(DecisionView { resource: known.unwrap_or(view.resource), ..view }))
}

/// Whose request it would be: anybody may ask about themselves.
async fn subject(
    state: &WebState,
    caller: &Caller,
    asked: &ExplainRequest,
) -> Result<(Arc<Principal>, Credential), Failure> {
    let own = caller.principal.id.to_string();
    match &asked.principal {
        Some(text) if *text != own && *text != *caller.principal.name => {
            caller.may(state, AdminAction::Explain)?;
            let not_found = || Failure::not_found("user or service account");
            let id = sessions::principal_named(state, text).await?.ok_or_else(not_found)?;
            let principal = state.store().principal(id).await?.ok_or_else(not_found)?;
            Ok((Arc::new(principal), Credential::None))
        }
        _ => Ok((Arc::clone(&caller.principal), caller.credential.clone())),
    }
}

/// `GET /`, with its path only where the application's paths are read.
fn front_page(snapshot: &Snapshot, asked: &AskedFor) -> Asked {
    let reading = snapshot.asked(asked).map(|resource| snapshot.path_reading(resource));
    let path = if reading == Some(PathReading::Verbatim) { "" } else { "/" };
    Asked::Http(Arc::new(HttpRequest { method: "GET".into(), path: path.into() }))
}

/// An unknown resource is passed on by its name: that nobody may reach it is the answer.
fn asked_for(found: Option<&Resource>, text: &str) -> Result<AskedFor, Failure> {
    match found {
        Some(found) => Ok(AskedFor::Id(found.id)),
        None => text
            .parse()
            .map(AskedFor::Name)
            .map_err(|_| Failure::invalid("the resource is neither an id nor a name")),
    }
}

/// What a resource is there for.
fn usual(found: Option<&Resource>) -> Action {
    match found.map(|found| found.kind) {
        Some(ResourceKind::Http) => Action::Http,
        Some(ResourceKind::Ssh | ResourceKind::Tcp) | None => Action::Connect,
    }
}

/// What a caller sees of a decision. Rules, and what they lacked, are shown to owners only: they tell what else exists.
fn view(record: &DecisionRecord, owner: bool) -> DecisionView {
    let (outcome, effect, reason, sentence, next) = words(record);
    let policies = record.determining.iter().map(|rule| DeterminingPolicy {
        id: rule.id.to_string(),
        name: rule.name.to_string(),
        effect: effect.to_owned(),
        text: rule.text.to_string(),
    });
    let failing = record
        .near
        .iter()
        .flat_map(|near| near.failed.iter().map(move |failed| format!("{}: {failed}", near.rule.name)));
    DecisionView {
        id: record.decision,
        session: None,
        resumed: None,
        at: record.at.into(),
        outcome,
        reason: reason.to_owned(),
        sentence: sentence.to_owned(),
        next: next.to_owned(),
        revision: record.revision,
        principal: caller::view(record.principal.id, &record.principal.name),
        resource: match &record.resource {
            Some(resource) => ObjectRef { id: resource.id.to_string(), name: resource.name.to_string() },
            None => ObjectRef { id: String::new(), name: record.asked.to_string() },
        },
        action: match record.action {
            Asked::Connect => Action::Connect,
            Asked::Http(_) => Action::Http,
        },
        source: record.source,
        policies: if owner { policies.collect() } else { Vec::new() },
        failing: if owner { failing.collect() } else { Vec::new() },
    }
}

fn words(record: &DecisionRecord) -> (Outcome, &'static str, &'static str, &'static str, &'static str) {
    match record.outcome {
        Recorded::Allowed { .. } => {
            (Outcome::Allow, "permit", "allowed", "a rule allows this", "nothing is to be done")
        }
        Recorded::Denied { reason } => {
            (Outcome::Deny, "forbid", reason.label(), reason.sentence(), next(reason.as_refusal()))
        }
    }
}

fn next(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated => "sign in again with `postern login`",
        Refusal::NoSuchResource => "list what you may reach with `postern ls`, or ask an owner for access",
        Refusal::BadRequest => "use the command for this kind of resource",
        Refusal::PolicyStale | Refusal::Superseded => "try again in a moment",
        Refusal::ResumeUnknown => "begin a new session",
        Refusal::NoConnector => "ask an owner whether the site has another connector",
        Refusal::Denied
        | Refusal::Timeout
        | Refusal::Limit
        | Refusal::TargetNotAllowed
        | Refusal::TargetUnreachable
        | Refusal::GrantRefused
        | Refusal::NotRecorded
        | Refusal::Draining
        | Refusal::LinkLost
        | Refusal::TryNext
        | Refusal::ProofFailed
        | Refusal::Revoked => "ask an owner for access, and name the decision",
    }
}
