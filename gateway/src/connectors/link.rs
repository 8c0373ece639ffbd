//! Serving one connector's link: what a connector may tell a gateway, and what it may not.

use super::{Dialer, Place, Registry};
use postern_ids::Refusal;
use postern_tunnel_io::{Event, Incoming, Link};
use std::sync::Arc;

/// Serves the link until it ends.
pub(super) async fn serve(
    dialer: Dialer,
    place: Place,
    link: Link,
    mut incoming: Incoming,
    registry: Arc<Registry<Link>>,
) {
    metrics::gauge!("postern_connector_links").increment(1.0);
    let _left = Left { registry: &registry, place };
    while let Some(event) = incoming.next().await {
        on_event(dialer, place, event, &registry);
    }
    let ended = link.closed().await;
    tracing::info!(
        connector.id = %dialer.connector,
        instance.id = %dialer.instance,
        slot = dialer.slot,
        code = ended.code,
        reason = ended.reason,
        "connector link down"
    );
}

fn on_event(dialer: Dialer, place: Place, event: Event, registry: &Registry<Link>) {
    match event {
        // A connector serves; it asks for nothing (T10).
        Event::Open(lane) => {
            tracing::warn!(connector.id = %dialer.connector, "protocol.violation: a connector asked for a lane");
            lane.refuse(Refusal::Denied.code(), b"a connector cannot open lanes");
        }
        Event::GoAway { code, hint } => {
            tracing::info!(connector.id = %dialer.connector, code, hint, "the connector takes no new lanes on this link");
            registry.drain(place);
        }
        // Held streams are known only to gateways that resume; nothing is held for this one.
        Event::Inventory { entries, last } => {
            tracing::debug!(connector.id = %dialer.connector, bytes = entries.len(), last, "inventory");
        }
        Event::Kill { session, code } => {
            tracing::debug!(connector.id = %dialer.connector, session.id = %session, code, "the connector ended a stream");
        }
        Event::Keys(_) => {
            tracing::warn!(connector.id = %dialer.connector, "protocol.violation: a connector sent keys");
        }
    }
}

/// Takes the link out of the registry, however its task ends.
struct Left<'a> {
    registry: &'a Registry<Link>,
    place: Place,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        metrics::gauge!("postern_connector_links").decrement(1.0);
        if self.registry.leave(self.place) {
            tracing::info!(connector.id = %self.place.connector(), "connector offline");
        }
    }
}
