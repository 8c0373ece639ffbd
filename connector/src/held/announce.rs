//! Who is told of held streams: each gateway hears the whole list over every new link, and news over one of its links.

use super::Streams;
use crate::links::{Entry, Gateway, Links};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_io::{Link, inventory};
use std::time::Duration;
use tokio::time;

/// News wait this long for more of them: a link that dies detaches thousands of streams at once.
const COALESCE: Duration = Duration::from_millis(50);
/// Streams told in one go. With usual grants they fill most of the 64 KiB that a part may have.
const BATCH: usize = 32;

/// Tells a gateway over a new link of every stream that is held, or that ended unseen.
pub async fn list(streams: &Streams, link: &Link, entry: &Entry) {
    let ids = streams.ids();
    for batch in ids.chunks(BATCH) {
        link.inventory_room().await;
        if link.is_closed() {
            return;
        }
        // Looked up only now: what changes while the list is told shall not be told wrong.
        send(link, streams.listed(batch), false);
    }
    link.send_inventory(Bytes::new(), true);
    entry.set_listed();
}

/// Tells a gateway of changes, for ever.
pub async fn news(streams: &Streams, links: &Links, gateway: Gateway) {
    loop {
        links.poked(gateway).await;
        time::sleep(COALESCE).await;
        tell(streams, links, gateway).await;
    }
}

/// Tells a gateway of what changed up to now.
pub async fn tell(streams: &Streams, links: &Links, gateway: Gateway) {
    while let Some(link) = links.teller(gateway) {
        link.inventory_room().await;
        if link.is_closed() {
            continue;
        }
        let ids: Vec<StreamId> = links.take(gateway, BATCH);
        if ids.is_empty() {
            return;
        }
        send(&link, streams.news(&ids), true);
    }
}

fn send(link: &Link, entries: Vec<inventory::Entry>, last: bool) {
    match inventory::parts(entries) {
        Ok(parts) => parts.into_iter().for_each(|part| link.send_inventory(part, last)),
        // Grants beyond the limit are refused before a stream is opened with one.
        Err(error) => tracing::error!(%error, "streams cannot be told to a gateway"),
    }
}
