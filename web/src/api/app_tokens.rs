//! Tokens that people make for their own programs. They give no right that their owner has not: each request that shows
//! one is decided like any other.

use super::tokens::{NOTE_MAX_CHARS, lifetime};
use crate::{WebState, body::Json as Body, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use postern_api::{AppTokenView, IssueAppTokenRequest, IssuedAppToken, List, ObjectRef, ProblemCode};
use postern_canonical::{CanonicalPath, EncodedSlash};
use postern_identity::lifetimes;
use postern_ids::{DecisionId, ResourceId, SessionId, TokenId, UserId};
use postern_policy::{
    Action, Asked, HttpRequest, Request, Snapshot, decide,
    model::{PathReading, PrincipalId, Resource, ResourceKind},
};
use postern_store::{AppToken, SecretHash};
use postern_token::opaque::{Opaque, OpaqueKind};
use std::sync::Arc;

/// The longest path.
const PATH_MAX: usize = 512;

pub(super) async fn issue(
    State(state): State<WebState>,
    caller: Caller,
    Body(wanted): Body<IssueAppTokenRequest>,
) -> Result<(StatusCode, Json<IssuedAppToken>), Failure> {
    let user = person(&caller)?;
    let now = state.now();
    let lasts = lifetime(wanted.expires_in_secs, lifetimes::APP_TOKEN, lifetimes::APP_TOKEN_MAX)?;
    if wanted.note.chars().count() > NOTE_MAX_CHARS || wanted.note.contains(char::is_control) {
        return Err(Failure::invalid(format!(
            "the note must be one line of up to {NOTE_MAX_CHARS} characters"
        )));
    }
    let path = part(&wanted.path)?;
    let resource = application(&state, &caller, &wanted.resource, &path)?;
    let secret = Opaque::from_entropy(OpaqueKind::Application, rand::random());
    let token = AppToken {
        id: TokenId::mint(now, rand::random()),
        user,
        resource: resource.id,
        path,
        note: wanted.note,
        created_at: now,
        expires_at: now.plus(lasts),
        revoked_at: None,
    };
    let mut change = state.store().change(caller.actor(), now).await?;
    change.put_app_token(&token, SecretHash(secret.hash())).await?;
    change.commit().await?;
    let issued =
        IssuedAppToken { token: secret.reveal().to_owned(), view: view(&token, resource.name.as_str()) };
    Ok((StatusCode::CREATED, Json(issued)))
}

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<List<AppTokenView>>, Failure> {
    let (snapshot, _) = state.config().snapshots.current();
    let tokens = state.store().app_tokens_of(person(&caller)?, state.now()).await?;
    let name = |id: ResourceId| snapshot.resource(id).map(|resource| resource.name.to_string());
    let shown = |token: &AppToken| view(token, &name(token.resource).unwrap_or_default());
    Ok(Json(List { items: tokens.iter().map(shown).collect() }))
}

pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let user = person(&caller)?;
    let id: TokenId = id.parse().map_err(|_| Failure::not_found("app token"))?;
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    change.revoke_app_token(id, user).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Only people have tokens of their own; programs have what an administrator gave them.
fn person(caller: &Caller) -> Result<UserId, Failure> {
    match caller.principal.id {
        PrincipalId::User(user) => Ok(user),
        PrincipalId::ServiceAccount(_) | PrincipalId::Anonymous => Err(Failure::new(
            ProblemCode::Denied,
            "only people make tokens for applications",
            "use the service account's own token, which its rules limit",
        )),
    }
}

/// A part of an application in the spelling that requests are compared with; empty is all of it.
fn part(text: &str) -> Result<String, Failure> {
    let invalid = || Failure::invalid(format!("path must be like /api, with up to {PATH_MAX} characters"));
    if text.is_empty() || text == "/" {
        return Ok(String::new());
    }
    if text.len() > PATH_MAX || text.contains(['?', '#']) {
        return Err(invalid());
    }
    let path = CanonicalPath::read(text, EncodedSlash::Refuse).map_err(|_| invalid())?;
    Ok(path.as_str().trim_end_matches('/').to_owned())
}

/// The web application that the caller may use. One that they may not use looks like one that does not exist.
fn application(state: &WebState, caller: &Caller, named: &str, path: &str) -> Result<Arc<Resource>, Failure> {
    let (snapshot, _) = state.config().snapshots.current();
    let found = match named.parse::<ResourceId>() {
        Ok(id) => snapshot.resource(id),
        Err(_) => named.parse().ok().and_then(|name| snapshot.resource_by_name(&name)),
    };
    let found = found.filter(|resource| is_usable(state, caller, &snapshot, resource, path));
    let resource = found.ok_or_else(|| Failure::not_found("web application"))?;
    let has_paths = resource.web.as_ref().is_none_or(|web| web.paths != PathReading::Verbatim);
    if !path.is_empty() && !has_paths {
        return Err(Failure::invalid(
            "this application's paths are not read, so a token cannot be for one".to_owned(),
        ));
    }
    Ok(Arc::clone(resource))
}

fn is_usable(
    state: &WebState,
    caller: &Caller,
    snapshot: &Snapshot,
    resource: &Resource,
    path: &str,
) -> bool {
    let (now, (_, staleness)) = (state.now(), state.config().snapshots.current());
    let below = format!("{path}/");
    let tries = [("GET", "/"), ("GET", path), ("GET", &*below), ("POST", path), ("POST", &*below)];
    let may = |(method, path): (&str, &str)| {
        let action = HttpRequest { method: method.into(), path: path.into() };
        let request = Request {
            decision: DecisionId::mint(now, rand::random()),
            session: SessionId::mint(now, rand::random()),
            started_at: now,
            principal: Arc::clone(&caller.principal),
            credential: caller.credential.clone(),
            resource: Asked::Id(resource.id),
            action: Action::Http(Arc::new(action)),
            source: caller.address,
        };
        decide(&request, snapshot, staleness, now).is_ok()
    };
    resource.kind == ResourceKind::Http && tries.into_iter().any(may)
}

fn view(token: &AppToken, resource: &str) -> AppTokenView {
    AppTokenView {
        id: token.id,
        resource: ObjectRef { id: token.resource.to_string(), name: resource.to_owned() },
        path: token.path.clone(),
        note: token.note.clone(),
        created_at: token.created_at.into(),
        expires_at: token.expires_at.into(),
    }
}
