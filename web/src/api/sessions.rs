//! Sessions: one's own for everybody, all of them for owners; seeing and ending.

use crate::{
    WebState,
    caller::{self, Caller},
    problem::Failure,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use postern_api::{EndSessionReply, List, ObjectRef, PrincipalView, ProblemCode, SessionView};
use postern_ids::{Ended, ServiceAccountId, SessionId, UserId};
use postern_policy::{
    admin::AdminAction,
    live::{Filter, LiveView},
    model::{PrincipalId, Resource},
};
use postern_store::{ServiceAccount, SessionEntry, SessionFilter, User};
use serde::Deserialize;
use std::collections::HashMap;

/// Sessions in one answer, unless fewer are asked for.
const LIMIT: u32 = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only sessions that have not ended.
    #[serde(default)]
    live: bool,
    /// Only those of this person or program, by id or name.
    principal: Option<String>,
    /// Only those that reached this resource, by id or name.
    resource: Option<String>,
    /// Only those older than this one.
    before: Option<SessionId>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<List<SessionView>>, Failure> {
    let Query(wanted) = wanted.map_err(|error| {
        Failure::new(
            ProblemCode::UnknownField,
            error.body_text(),
            "ask with live, principal, resource, before, limit",
        )
    })?;
    let filter = filter(&state, &caller, &wanted).await?;
    let Some(filter) = filter else { return Ok(Json(List { items: Vec::new() })) };
    let entries = state.store().sessions(&filter, wanted.limit.unwrap_or(LIMIT).clamp(1, 1000)).await?;
    let live: HashMap<SessionId, LiveView> =
        state.config().live.list(&Filter::All).into_iter().map(|view| (view.session, view)).collect();
    let mut names = Names::new(&state);
    let mut items = Vec::with_capacity(entries.len());
    for entry in &entries {
        items.push(view(entry, live.get(&entry.id), &mut names).await?);
    }
    Ok(Json(List { items }))
}

/// What to read from the store; nothing when a named principal or resource does not exist.
async fn filter(
    state: &WebState,
    caller: &Caller,
    wanted: &Wanted,
) -> Result<Option<SessionFilter>, Failure> {
    let own = caller.principal.id.to_string();
    let principal = match &wanted.principal {
        Some(text) if *text == own || *text == *caller.principal.name => Some(own),
        Some(text) => {
            caller.may(state, AdminAction::ViewSessions)?;
            let Some(found) = principal_named(state, text).await? else { return Ok(None) };
            Some(found.to_string())
        }
        None if caller.could(state, AdminAction::ViewSessions) => None,
        None => Some(own),
    };
    let resource = match &wanted.resource {
        None => None,
        Some(text) => match super::names::find::<Resource>(state, text).await? {
            Some(found) => Some(found.value.id),
            None => return Ok(None),
        },
    };
    Ok(Some(SessionFilter { live: wanted.live, principal, resource, before: wanted.before }))
}

/// The person or program with this id or name.
pub(super) async fn principal_named(state: &WebState, text: &str) -> Result<Option<PrincipalId>, Failure> {
    if let Some(user) = super::names::find::<User>(state, text).await? {
        return Ok(Some(PrincipalId::User(user.value.id)));
    }
    let account = super::names::find::<ServiceAccount>(state, text).await?;
    Ok(account.map(|account| PrincipalId::ServiceAccount(account.value.id)))
}

pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, Failure> {
    let entry = visible(&state, &caller, &id, AdminAction::ViewSessions).await?;
    let live = state.config().live.list(&Filter::Session(entry.id));
    Ok(Json(view(&entry, live.first(), &mut Names::new(&state)).await?))
}

/// The recorded session with this id, if the caller may see it; otherwise exactly what an unknown id gets.
async fn visible(
    state: &WebState,
    caller: &Caller,
    id: &str,
    action: AdminAction,
) -> Result<SessionEntry, Failure> {
    let not_found = || Failure::not_found("session");
    let id: SessionId = id.parse().map_err(|_| not_found())?;
    let entry = state.store().session(id).await?.ok_or_else(not_found)?;
    if entry.principal == caller.principal.id.to_string() || caller.could(state, action) {
        return Ok(entry);
    }
    tracing::info!(principal.id = %caller.principal.id, session.id = %id, reason = "ownership", "authz.denied");
    Err(not_found())
}

pub(super) async fn end(
    State(state): State<WebState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EndSessionReply>, Failure> {
    let Some((session, ended)) = may_end(&state, &caller, &id).await? else {
        let session = id.parse().map_err(|_| Failure::not_found("session"))?;
        return Ok(Json(EndSessionReply { session, was_live: false }));
    };
    let now = state.now();
    state.limits().end_session.admit(caller.address, now).map_err(|after| {
        let next = "wait a minute, or disable the user to end all sessions at once";
        Failure::new(ProblemCode::RateLimited, "too many sessions are ended from this address", next)
            .retry_after(after)
    })?;
    // Cut first what lives here; the change reaches every gateway that carries it, or could be asked to go on with it.
    let was_here = state.config().live.end(session, ended);
    tracing::info!(principal.id = %caller.principal.id, session.id = %session, "admin.change: a session was ended");
    let told = state.store().end_session(session, ended, &caller.actor(), now).await;
    told.map_err(|error| not_told(error.into(), was_here))?;
    Ok(Json(EndSessionReply { session, was_live: true }))
}

/// The session with this id and how it ends by this caller, if it lives; otherwise exactly what an unknown id gets.
async fn may_end(state: &WebState, caller: &Caller, id: &str) -> Result<Option<(SessionId, Ended)>, Failure> {
    let session: SessionId = id.parse().map_err(|_| Failure::not_found("session"))?;
    let own = caller.principal.id;
    let is_own = match state.config().live.list(&Filter::Session(session)).first() {
        Some(live) if live.principal.id == own => true,
        Some(_) if caller.could(state, AdminAction::EndSession) => false,
        // It lives on another gateway, has ended, or is not recorded in the store yet.
        Some(_) | None => {
            let entry = visible(state, caller, id, AdminAction::EndSession).await?;
            if entry.ended.is_some() {
                return Ok(None);
            }
            entry.principal == own.to_string()
        }
    };
    Ok(Some((session, if is_own { Ended::EndedByPrincipal } else { Ended::EndedByAdmin })))
}

/// The order did not reach the store. What lived here is over all the same.
fn not_told(failure: Failure, was_here: bool) -> Failure {
    if !was_here {
        return failure;
    }
    Failure::new(
        ProblemCode::Unavailable,
        "the session was cut, but the other gateways could not be told",
        "try again in a moment, so that it cannot be resumed elsewhere",
    )
}

async fn view(
    entry: &SessionEntry,
    live: Option<&LiveView>,
    names: &mut Names<'_>,
) -> Result<SessionView, Failure> {
    Ok(SessionView {
        id: entry.id,
        principal: names.principal(&entry.principal).await?,
        resource: names.resource(&entry.resource.to_string()).await?,
        decision: entry.decision,
        generation: entry.generation,
        source: live.map(|live| live.source).or(entry.source),
        started_at: entry.started_at.into(),
        ended_at: entry.ended.map(|(_, at)| at.into()),
        ended: entry.ended.map(|(ended, _)| ended),
        bytes_up: entry.bytes_up,
        bytes_down: entry.bytes_down,
        live: live.is_some(),
    })
}

/// Names by id, each read once per answer.
struct Names<'a> {
    state: &'a WebState,
    known: HashMap<String, String>,
}

impl<'a> Names<'a> {
    fn new(state: &'a WebState) -> Self {
        Self { state, known: HashMap::new() }
    }

    async fn principal(&mut self, id: &str) -> Result<PrincipalView, Failure> {
        let parsed = id.parse::<UserId>().map(PrincipalId::User);
        let parsed = parsed.or_else(|_| id.parse::<ServiceAccountId>().map(PrincipalId::ServiceAccount));
        let parsed = parsed.unwrap_or(PrincipalId::Anonymous);
        if !self.known.contains_key(id) {
            let name = match parsed {
                PrincipalId::User(user) => self.name::<User>(&user).await?,
                PrincipalId::ServiceAccount(account) => self.name::<ServiceAccount>(&account).await?,
                PrincipalId::Anonymous => "anonymous".to_owned(),
            };
            self.known.insert(id.to_owned(), name);
        }
        Ok(caller::view(parsed, self.known.get(id).map_or("", String::as_str)))
    }

    async fn resource(&mut self, id: &str) -> Result<ObjectRef, Failure> {
        if !self.known.contains_key(id) {
            let name = match id.parse() {
                Ok(resource) => self.name::<Resource>(&resource).await?,
                Err(_) => String::new(),
            };
            self.known.insert(id.to_owned(), name);
        }
        Ok(ObjectRef { id: id.to_owned(), name: self.known.get(id).cloned().unwrap_or_default() })
    }

    async fn name<T: postern_store::Object>(&self, id: &T::Id) -> Result<String, Failure> {
        Ok(self
            .state
            .store()
            .find::<T>(id)
            .await?
            .map(|found| found.value.name().to_string())
            .unwrap_or_default())
    }
}
