//! The `serve` command: a node from its start to the signal that ends it.

use super::{first_start::hex, start::Node};
use crate::{
    command::Settings,
    config::Config,
    exit::Failure,
    lifecycle::{Asked, Signals},
    telemetry::RunningLog,
};

/// Serves until a signal asks to stop. A second signal ends the drain at once.
pub async fn serve(config: Config, settings: &Settings, log: &RunningLog) -> Result<(), Failure> {
    let mut signals = Signals::listen()
        .map_err(|error| Failure::Software(format!("cannot listen for signals: {error}")))?;
    let mut node = Node::start(config).await?;
    announce(&node);
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Reload => node.reload(settings, log).await,
                Asked::Stop => break,
            },
            () = node.lifecycle.failing() => break,
        }
    }
    let failed = node.lifecycle.has_failed();
    let patience = node.config.limits.drain;
    node.begin_stop();
    let impatient = async { while signals.next().await == Asked::Reload {} };
    let lifecycle = node.lifecycle.clone();
    tokio::select! {
        _ = node.finish_stop(patience) => {}
        () = impatient => {
            tracing::warn!("asked twice to stop: sessions are dropped");
            lifecycle.kill(std::time::Duration::from_secs(1)).await;
        }
    }
    if failed {
        Err(Failure::Software("a task that the gateway cannot live without broke".to_owned()))
    } else {
        Ok(())
    }
}

fn announce(node: &Node) {
    tracing::info!(public = %node.public, internal = %node.internal, url = %node.public_url, "serving");
    if let Some(fingerprint) = node.presented.ca_sha256() {
        println!("CA fingerprint (postern login --ca-sha256): {}", hex(&fingerprint));
    }
    println!("serving {} on {}", node.public_url.as_str().trim_end_matches('/'), node.public);
}
