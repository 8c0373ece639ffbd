//! Applying documents: planned against the store, checked as a whole, written in one transaction or not at all.

mod diff;
mod headers;
mod hosts;
mod immutable;
mod place;
mod plan;
mod resolve;
mod secrets;
mod sound;
mod web;
mod write;

use super::world::World;
use crate::{WebState, body::Json as Body, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use plan::Planned;
use postern_api::{ApplyRequest, Plan, ProblemCode};
use postern_policy::admin::AdminAction;
use secrets::Secrets;
use serde::Deserialize;

/// Documents in one request.
const DOCUMENTS_MAX: usize = 5_000;

/// How often an apply starts again because somebody else's change came between.
const ATTEMPTS: usize = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn apply(
    State(state): State<WebState>,
    caller: Caller,
    how: Result<Query<How>, QueryRejection>,
    Body(request): Body<ApplyRequest>,
) -> Result<Json<Plan>, Failure> {
    let Query(how) = how.map_err(|error| {
        Failure::new(ProblemCode::UnknownField, error.body_text(), "ask with dry_run=true or dry_run=false")
    })?;
    let permit = caller.may(&state, AdminAction::Change)?;
    if request.documents.len() > DOCUMENTS_MAX {
        return Err(Failure::invalid(format!("a request has at most {DOCUMENTS_MAX} documents")));
    }
    let secrets = Secrets::read(&state, &request.documents).await?;
    for _ in 0..ATTEMPTS {
        let planned = planned(&state, &request, &secrets).await?;
        if how.dry_run {
            return Ok(Json(planned.shown(false)));
        }
        if let Some(plan) = write::write(&state, &permit, &caller, planned).await? {
            state.until_in_force(plan.revision).await;
            return Ok(Json(plan));
        }
        if request.expected_revision.is_some() {
            break;
        }
    }
    Err(changed_meanwhile())
}

fn changed_meanwhile() -> Failure {
    Failure::new(
        ProblemCode::Conflict,
        "somebody else changed something meanwhile, so nothing was changed",
        "look at the plan again, then repeat",
    )
}

async fn planned(state: &WebState, request: &ApplyRequest, secrets: &Secrets) -> Result<Planned, Failure> {
    let before = World::load(state.store()).await?;
    if request.expected_revision.is_some_and(|expected| expected != before.revision) {
        return Err(changed_meanwhile());
    }
    immutable::check(&before, &request.documents)?;
    let planned = plan::plan(before, &request.documents, secrets.clone(), state.now())?;
    let mistakes = hosts::mistakes(&planned.after, &planned.changes, state.config());
    if !mistakes.is_empty() {
        let said = "applications would get into each other's way, so nothing was changed";
        return Err(Failure::invalid(said).with_errors(mistakes));
    }
    sound::check(planned.after.clone()).await?;
    Ok(planned)
}
