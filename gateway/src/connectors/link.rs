//! Serving one connector's link: what a connector may tell a gateway, and what it may not.

use super::{
    dial_in::Dialer,
    inventory::Reader,
    registry::{Place, Registry},
};
use crate::policies::wall_clock;
use bytes::Bytes;
use postern_ids::Refusal;
use postern_tunnel_io::{Event, Incoming, Link};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How long a new link waits for the connector's list of streams. A connector of an older release sends none: it is taken
/// to hold nothing, which is what it holds.
const LIST_PATIENCE: Duration = Duration::from_secs(2);

/// One link being served.
pub(super) struct Served {
    pub(super) dialer: Dialer,
    pub(super) place: Place,
    pub(super) link: Link,
    pub(super) registry: Arc<Registry<Link>>,
    pub(super) reader: Reader,
}

impl Served {
    /// Serves the link until it ends.
    pub(super) async fn serve(mut self, mut incoming: Incoming) {
        metrics::gauge!("postern_connector_links").increment(1.0);
        let _left = Left { registry: Arc::clone(&self.registry), place: self.place };
        let silent = sleep_until(Instant::now() + LIST_PATIENCE);
        tokio::pin!(silent);
        let mut has_spoken = false;
        loop {
            tokio::select! {
                event = incoming.next() => match event {
                    Some(event) => has_spoken |= self.on_event(event).await,
                    None => break,
                },
                () = &mut silent, if !has_spoken => {
                    has_spoken = true;
                    self.become_usable("it did not say which streams it holds");
                }
            }
        }
        self.on_end().await;
    }

    /// True when the connector spoke of what it holds: then the list makes the link usable, however long it takes.
    async fn on_event(&mut self, event: Event) -> bool {
        let connector = self.dialer.connector;
        match event {
            // A connector serves; it asks for nothing (T10).
            Event::Open(lane) => {
                tracing::warn!(connector.id = %connector, "protocol.violation: a connector asked for a lane");
                lane.refuse(Refusal::Denied.code(), b"a connector cannot open lanes");
            }
            Event::GoAway { code, hint } => {
                // Said again it is no news, and must not fill the log.
                if self.registry.drain(self.place) {
                    tracing::info!(connector.id = %connector, code, hint, "the connector takes no new lanes on this link");
                }
            }
            Event::Inventory { entries, last } => {
                self.on_inventory(entries, last).await;
                return true;
            }
            // What a stream's end was, its lane or the inventory says.
            Event::Kill { session, code } => {
                tracing::debug!(connector.id = %connector, session.id = %session, code, "the connector ended a stream");
            }
            // It means nothing from a connector.
            Event::Keys(_) => tracing::debug!(connector.id = %connector, "a connector sent keys"),
        }
        false
    }

    async fn on_inventory(&mut self, entries: Bytes, last: bool) {
        match self.reader.take(entries, last, wall_clock).await {
            Ok(true) => self.become_usable("its streams are known"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(connector.id = %self.dialer.connector, error = %error, "protocol.violation");
                self.link.close(error.code(), &error.to_string());
            }
        }
    }

    fn become_usable(&self, why: &'static str) {
        self.registry.ready(self.place);
        tracing::debug!(connector.id = %self.dialer.connector, slot = self.dialer.slot, why, "connector link takes lanes");
    }

    async fn on_end(&self) {
        let ended = self.link.closed().await;
        tracing::info!(
            connector.id = %self.dialer.connector,
            instance.id = %self.dialer.instance,
            slot = self.dialer.slot,
            code = ended.code,
            reason = ended.reason,
            "connector link down"
        );
    }
}

/// Takes the link out of the registry, however its task ends.
struct Left {
    registry: Arc<Registry<Link>>,
    place: Place,
}

impl Drop for Left {
    fn drop(&mut self) {
        metrics::gauge!("postern_connector_links").decrement(1.0);
        if self.registry.leave(self.place, std::time::Instant::now()) {
            tracing::info!(connector.id = %self.place.connector(), "connector offline");
        }
    }
}
