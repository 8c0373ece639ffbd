//! Tells the store which connectors are here, and removes the ephemeral ones that stayed away.

use super::Connectors;
use crate::policies::wall_clock;
use postern_store::Store;
use std::{convert::Infallible, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// How often the store hears; an ephemeral connector is removed half an hour after it was last seen, so a minute is exact
/// enough.
const REPORT: Duration = Duration::from_secs(60);

/// The task that reports.
#[derive(Clone)]
pub struct Presence {
    /// Whose presence.
    pub connectors: Connectors,
    /// Where to.
    pub store: Store,
}

impl Presence {
    /// Reports for ever. An absent store hears the next report.
    pub async fn run(self) -> Infallible {
        let mut tick = interval(REPORT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.report().await;
        }
    }

    async fn report(&self) {
        if let Err(error) = self.store.connectors_seen(&self.connectors.online(), wall_clock()).await {
            return tracing::debug!(error = %error, "the store did not hear which connectors are online");
        }
        match self.store.reap_ephemeral_connectors(wall_clock()).await {
            Ok(gone) => {
                for id in gone {
                    tracing::info!(connector.id = %id, "an ephemeral connector stayed away and was removed");
                }
            }
            Err(error) => tracing::warn!(error = %error, "ephemeral connectors could not be removed"),
        }
    }
}
