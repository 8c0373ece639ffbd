//! The internal listener: whether the process lives, whether it should get work, and its metrics. Never on the public port.

use crate::{
    lifecycle::Lifecycle,
    policies::{Live, Policies},
};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use postern_store::journal::Journal;
use serde_json::json;
use std::{convert::Infallible, sync::Arc, time::Duration};

/// How often the recorder folds what was observed, so that memory stays flat while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// What readiness looks at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) lifecycle: Lifecycle,
    pub(super) policies: Arc<Policies>,
    pub(super) live: Arc<Live>,
    pub(super) journal: Journal,
    pub(super) metrics: PrometheusHandle,
}

/// The routes of the internal listener.
pub(super) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(health)
}

/// Keeps the metrics recorder small, for ever.
pub(super) async fn upkeep(metrics: PrometheusHandle) -> Infallible {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

async fn render(State(health): State<Health>) -> String {
    health.metrics.render()
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<serde_json::Value>) {
    let (snapshot, staleness) = health.policies.current();
    let is_stale = staleness.as_secs() > u64::from(snapshot.settings().max_staleness_s);
    let blockers: Vec<&str> = [
        ("draining", health.lifecycle.is_stopping()),
        ("journal_failing", !health.journal.is_healthy()),
        ("policy_stale", is_stale),
    ]
    .into_iter()
    .filter_map(|(word, holds)| holds.then_some(word))
    .collect();
    // An older policy is in force: the node still serves, and every other node has the same store.
    let warnings: Vec<&str> = if health.policies.is_refusing() { vec!["policy_refused"] } else { Vec::new() };
    let status = if blockers.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": blockers.is_empty(),
        "blockers": blockers,
        "warnings": warnings,
        "policy_revision": snapshot.revision(),
        "sessions": health.live.len(),
    });
    (status, Json(body))
}
