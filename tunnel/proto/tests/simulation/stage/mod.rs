//! What all actors stand on: the network, the reference model, and the terms of this run.

pub(crate) mod net;
pub(crate) mod rng;
pub(crate) mod terms;
mod trace;

pub(crate) use net::{EndId, LaneAt, Net, Node};
pub(crate) use terms::{Sabotage, Terms};

use crate::model::Model;
use bytes::Bytes;

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
    /// Whether this run is one in which the harness must find this fault of a shell.
    pub(crate) fn sabotages(&self, sabotage: Sabotage) -> bool {
        self.terms.sabotage == Some(sabotage)
    }
}
