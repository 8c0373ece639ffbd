//! Connectors: seeing and revoking them.

use super::names;
use crate::{WebState, caller::Caller, problem::Failure};
use axum::{
    Json,
    extract::{Path, State},
};
use postern_api::{ConnectorState, ConnectorView, KeyRotation, List, ObjectRef, Time};
use postern_ids::{ConnectorId, SiteId};
use postern_policy::{
    admin::AdminAction,
    model::{self, Connector, Site},
};
use std::collections::HashMap;

pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<List<ConnectorView>>, Failure> {
    caller.may(&state, AdminAction::View)?;
    let sites = state.store().all::<Site>().await?;
    let sites = sites.into_iter().map(|site| (site.value.id, site.value.name.to_string())).collect();
    let online = state.config().live.connectors_online();
    let connectors = state.store().all::<Connector>().await?;
    let items = connectors.iter().map(|connector| view(&connector.value, &sites, &online)).collect();
    Ok(Json(List { items }))
}

pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(connector): Path<String>,
) -> Result<Json<ConnectorView>, Failure> {
    caller.may(&state, AdminAction::View)?;
    let connector = names::named::<Connector>(&state, &connector).await?.value;
    shown(&state, &connector).await.map(Json)
}

pub(super) async fn revoke(
    State(state): State<WebState>,
    caller: Caller,
    Path(connector): Path<String>,
) -> Result<Json<ConnectorView>, Failure> {
    caller.may(&state, AdminAction::RevokeConnector)?;
    let mut connector = names::named::<Connector>(&state, &connector).await?.value;
    let mut change = state.store().change(caller.actor(), state.now()).await?;
    change.revoke_connector(connector.id).await?;
    change.commit().await?;
    connector.state = model::ConnectorState::Revoked;
    shown(&state, &connector).await.map(Json)
}

/// The next key of grants, before its time: after a suspicion, or a change of staff.
pub(super) async fn rotate_keys(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<KeyRotation>, Failure> {
    caller.may(&state, AdminAction::Change)?;
    let successor = state.config().keys.rotate_grants(state.store(), caller.actor(), state.now()).await?;
    Ok(Json(KeyRotation { key: successor.kid, signs_from: Time(successor.signs_from) }))
}

async fn shown(state: &WebState, connector: &Connector) -> Result<ConnectorView, Failure> {
    let site = state.store().find::<Site>(&connector.site).await?;
    let sites = site.into_iter().map(|site| (site.value.id, site.value.name.to_string())).collect();
    Ok(view(connector, &sites, &state.config().live.connectors_online()))
}

fn view(connector: &Connector, sites: &HashMap<SiteId, String>, online: &[ConnectorId]) -> ConnectorView {
    ConnectorView {
        id: connector.id,
        name: connector.name.clone(),
        site: ObjectRef {
            id: connector.site.to_string(),
            name: sites.get(&connector.site).cloned().unwrap_or_default(),
        },
        state: match connector.state {
            model::ConnectorState::Active => ConnectorState::Active,
            model::ConnectorState::Revoked => ConnectorState::Revoked,
        },
        online: online.contains(&connector.id),
        ephemeral: connector.ephemeral,
    }
}
