//! Reaching resources: one link to the gateway, one stream for each connection, which outlives it.

pub mod forward;
mod plain;
pub mod proxy;
pub mod ssh;
mod stdio;
mod stream;
mod way;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for the order to stop. A command that is merely gone would leave its streams to wait for it.
async fn stopped() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
