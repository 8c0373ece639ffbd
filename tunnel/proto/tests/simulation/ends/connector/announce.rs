//! Telling gateways which streams are held: all of them on each link that comes up, and what changes on one link of each.

use super::Connector;
use crate::stage::{EndId, Stage};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::inventory::{self, Entry};
use std::collections::BTreeSet;

/// Streams whose standing changed.
#[derive(Default)]
pub(super) struct News(BTreeSet<StreamId>);

impl News {
    pub(super) fn add(&mut self, id: StreamId) {
        self.0.insert(id);
    }
}

impl Connector {
    /// The whole list, in more parts than it needs, so that parts are put together.
    pub(super) fn list(&mut self, end: EndId, stage: &mut Stage) {
        let entries: Vec<Entry> = self.held.values().map(super::Held::entry).collect();
        for entry in entries {
            send(end, [entry], false, stage);
            if stage.net.rng.one_in(2) {
                stage.net.link(end).inventory(Bytes::new(), false);
            }
        }
        stage.net.link(end).inventory(Bytes::new(), true);
        self.listed.insert(end);
    }

    pub(super) fn tell_news(&mut self, stage: &mut Stage) {
        let ids = std::mem::take(&mut self.news.0);
        let entries: Vec<Entry> =
            ids.iter().filter_map(|id| self.held.get(id)).map(super::Held::entry).collect();
        if entries.is_empty() {
            return;
        }
        let gateways: BTreeSet<usize> = self.slots.iter().map(|(gateway, _)| *gateway).collect();
        for gateway in gateways {
            let mut links = self.links_to(gateway, &stage.net);
            links.retain(|end| self.listed.contains(end));
            if !links.is_empty() {
                let end = stage.net.rng.pick(&links);
                send(end, entries.clone(), true, stage);
            }
        }
    }
}

fn send(end: EndId, entries: impl IntoIterator<Item = Entry>, last: bool, stage: &mut Stage) {
    for part in inventory::parts(entries).unwrap() {
        stage.net.link(end).inventory(part, last);
    }
}
