//! What callers may know about themselves, whoever they are.

use super::{web, world};
use crate::{WebState, caller::Caller, problem::Failure};
use axum::{Json, extract::State};
use postern_api::{Action, HostKeyView, List, Me, MyResource, ResourceKind, SignInView};
use postern_ids::{ConnectorId, DecisionId, GroupId, SessionId};
use postern_policy::{
    Action as Asked, Asked as AskedFor, Request, Snapshot,
    admin::{AdminAction, OWNERS_NAME},
    model, reachable,
};
use std::{collections::BTreeSet, sync::Arc};

pub(super) async fn me(State(state): State<WebState>, caller: Caller) -> Json<Me> {
    let (snapshot, _) = state.config().snapshots.current();
    Json(Me {
        principal: caller.view(),
        display_name: caller.display_name.clone(),
        groups: groups(&snapshot, &caller.principal.groups),
        owner: caller.could(&state, AdminAction::View),
        sign_in: caller.sign_in.as_ref().map(|sign_in| SignInView {
            id: sign_in.id,
            at: sign_in.authenticated_at.into(),
            expires_at: sign_in.expires_at.into(),
        }),
        issuer: state.issuer().to_owned(),
        revision: snapshot.revision(),
    })
}

/// The names of these groups and of all that they are part of.
fn groups(snapshot: &Snapshot, direct: &[GroupId]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut open = direct.to_vec();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(group) = snapshot.group(id) {
            names.insert(group.name.to_string());
            open.extend(&group.parents);
        } else if id == postern_policy::admin::OWNERS {
            names.insert(OWNERS_NAME.to_owned());
        }
    }
    names.into_iter().collect()
}

pub(super) async fn resources(
    State(state): State<WebState>,
    caller: Caller,
) -> Result<Json<List<MyResource>>, Failure> {
    let now = state.now();
    let (snapshot, staleness) = state.config().snapshots.current();
    let online = state.config().live.connectors_online();
    let template = Request {
        decision: DecisionId::mint(now, rand::random()),
        session: SessionId::mint(now, rand::random()),
        started_at: now,
        principal: Arc::clone(&caller.principal),
        credential: caller.credential.clone(),
        // Each resource takes this place in turn.
        resource: AskedFor::Id(postern_ids::ResourceId::from_bytes([0; 16])),
        action: Asked::Connect,
        source: caller.address,
    };
    // Two thousand decisions take a tenth of a second: not on a thread that carries bytes.
    let config = state.config().clone();
    let listed = tokio::task::spawn_blocking(move || {
        let reachable = reachable(&template, &snapshot, staleness, now);
        reachable
            .iter()
            .map(|resource| MyResource {
                url: web::url(resource, config.apps_domain.as_deref(), &config.issuer),
                ..shown(resource, &snapshot, &online)
            })
            .collect()
    });
    let items = listed.await.map_err(|_| Failure::internal())?;
    Ok(Json(List { items }))
}

fn shown(resource: &model::Resource, snapshot: &Snapshot, online: &[ConnectorId]) -> MyResource {
    let mut connectors = snapshot.connectors_of(resource.site);
    let keys = resource.host_keys.iter().map(|key| HostKeyView {
        key: key.key.clone(),
        confirmed: key.state == model::HostKeyState::Confirmed,
    });
    MyResource {
        id: resource.id,
        name: resource.name.clone(),
        protocol: world::protocol(resource.kind),
        site: snapshot.site(resource.site).map(|site| site.name.to_string()).unwrap_or_default(),
        labels: resource.labels.clone().into(),
        actions: vec![if world::protocol(resource.kind) == ResourceKind::Http {
            Action::Http
        } else {
            Action::Connect
        }],
        online: connectors.any(|connector| online.contains(&connector.id)),
        url: None,
        host_keys: keys.collect(),
    }
}
