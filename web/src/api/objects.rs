//! Reading the objects that documents describe.

use super::world::World;
use crate::{WebState, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
};
use postern_api::{List, Object, ObjectKind};
use postern_policy::admin::AdminAction;

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    Path(kind): Path<String>,
) -> Result<Json<List<Object>>, Failure> {
    let kind = known(&kind)?;
    caller.may(&state, AdminAction::View)?;
    let world = World::load(state.store()).await?;
    let objects = world.documents(kind).into_iter();
    Ok(Json(List {
        items: objects.map(|(id, version, document)| Object { id, version, document }).collect(),
    }))
}

pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path((kind, object)): Path<(String, String)>,
) -> Result<Json<Object>, Failure> {
    let kind = known(&kind)?;
    caller.may(&state, AdminAction::View)?;
    let world = World::load(state.store()).await?;
    let mut objects = world.documents(kind).into_iter();
    let found = objects.find(|(id, _, document)| *id == object || document.name().as_str() == object);
    let (id, version, document) = found.ok_or_else(|| Failure::not_found(kind.word()))?;
    Ok(Json(Object { id, version, document }))
}

fn known(kind: &str) -> Result<ObjectKind, Failure> {
    ObjectKind::from_path(kind).ok_or_else(|| Failure::not_found("kind of object"))
}
