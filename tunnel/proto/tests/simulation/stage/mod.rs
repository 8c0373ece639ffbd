//! What all actors stand on: the network, the reference model, and the terms of this run.

pub(crate) mod net;
pub(crate) mod rng;
pub(crate) mod terms;
mod trace;

pub(crate) use net::{EndId, LaneAt, Net, Node};
pub(crate) use terms::{Sabotage, Terms};

use crate::model::Model;
use bytes::Bytes;
use postern_ids::SessionId;
use postern_tunnel_proto::stream::Attach;
use std::collections::BTreeSet;

/// Openings that somebody may replay.
const RECORDINGS_MAX: usize = 32;

pub(crate) struct Stage {
    pub(crate) net: Net,
    pub(crate) model: Model,
    pub(crate) terms: Terms,
    pub(crate) recordings: Recordings,
}

/// What whoever looks on could keep: metadata and early data of lanes that were opened.
#[derive(Default)]
pub(crate) struct Recordings {
    /// By the client, towards a gateway.
    pub(crate) asked: Vec<(Bytes, Bytes)>,
    /// By a gateway, towards the connector.
    pub(crate) passed: Vec<(Bytes, Bytes)>,
    /// Lanes that a gateway opened with what it kept, as their connector sees them.
    pub(crate) replayed: BTreeSet<LaneAt>,
}

impl Recordings {
    pub(crate) fn keep(list: &mut Vec<(Bytes, Bytes)>, metadata: &Bytes, early: &Bytes) {
        if list.len() >= RECORDINGS_MAX {
            list.remove(0);
        }
        list.push((metadata.clone(), early.clone()));
    }
}

impl Stage {
    /// The connector takes an attempt on this lane, under a grant for this session.
    pub(crate) fn taken(&mut self, at: LaneAt, attach: &Attach, session: SessionId) -> Result<(), String> {
        let is_lie = self.recordings.replayed.contains(&at);
        self.model.taken(attach.stream, session, attach.generation)?;
        self.model.carries(attach.stream, is_lie);
        Ok(())
    }

    /// Whether this run is one in which the harness must find this fault of a shell.
    pub(crate) fn sabotages(&self, sabotage: Sabotage) -> bool {
        self.terms.sabotage == Some(sabotage)
    }
}
