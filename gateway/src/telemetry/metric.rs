//! The metrics of the node, rendered for Prometheus at `/metrics`.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// Buckets of durations in seconds, from a decision to a slow handshake.
const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder once per process and gives the handle that renders it.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .build_recorder();
    let handle = RECORDER.get_or_init(|| recorder.handle()).clone();
    // Two tests that start a node at once race here; the loser's recorder is simply not used.
    let _ = metrics::set_global_recorder(recorder);
    describe();
    Ok(handle)
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("postern_connections_refused_total", "Connections that were not taken, by reason.");
    describe_counter!("postern_requests_refused_total", "Requests that could not be read, by reason.");
    describe_counter!("postern_sessions_admitted_total", "Sessions that were decided, recorded and opened.");
    describe_counter!("postern_sessions_refused_total", "Accesses that were refused, by reason.");
    describe_counter!("postern_sessions_ended_total", "Sessions that ended, by how they ended.");
    describe_counter!("postern_session_bytes_total", "Bytes carried by sessions that ended, by direction.");
    describe_gauge!("postern_sessions_live", "Sessions that live.");
    describe_gauge!("postern_connector_links", "Links from connectors.");
    describe_gauge!("postern_client_links", "Links from clients.");
    describe_histogram!("postern_admission_seconds", "From an open request to its answer.");
    describe_counter!("postern_dial_refused_total", "Dials that were refused, by peer kind and reason.");
    describe_gauge!("postern_certificate_until_seconds", "When the first certificate ends, as a Unix time.");
    describe_gauge!("postern_policy_revision", "The policy revision that decides.");
    describe_gauge!("postern_policy_staleness_seconds", "Time since the store last confirmed the revision.");
    describe_counter!("postern_policy_refused_total", "Policy snapshots that did not build.");
    describe_histogram!(
        "postern_reconcile_seconds",
        "From a revision's arrival to the last cut that it caused."
    );
}
