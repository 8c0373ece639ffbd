//! What can happen to wires and to the processes at their ends.

use super::{EndId, Net, Node, Packet};
use std::time::{Duration, Instant};

impl Net {
    /// The process at this end is gone, or dropped the link. The other end hears of it, or never does.
    pub(crate) fn drop_end(&mut self, id: EndId, silent: bool) {
        self.end(id).alive = false;
        self.wires[id.0].cut = true;
        if !silent {
            self.reset_at(Self::peer(id));
        }
    }

    /// A process dies with all its links, those included that nobody took yet.
    pub(crate) fn kill(&mut self, node: Node, silent: bool) {
        self.stopped.remove(&node);
        let ids = self.active.iter().flat_map(|&wire| [(wire, 0), (wire, 1)]);
        let own: Vec<EndId> = ids.filter(|&id| self.node(id) == node).collect();
        own.into_iter().for_each(|id| self.drop_end(id, silent));
    }

    /// Both ends lose the connection: with a reset each, or in silence, or one of each.
    pub(crate) fn cut(&mut self, wire: usize, silent: bool) {
        self.wires[wire].cut = true;
        for side in [0, 1] {
            if !silent || self.rng.one_in(4) {
                self.reset_at((wire, side));
            }
        }
    }

    fn reset_at(&mut self, id: EndId) {
        let latency = self.wires[id.0].latency;
        let at = self.now + self.rng.micros(0, 1_000) + latency;
        let end = self.end(id);
        // What has arrived by then is still read; the rest is lost.
        end.inbox.retain(|(arrives, _)| *arrives <= at);
        end.inbox.push_back((at, Packet::Close(1006)));
    }

    /// Half open: nothing arrives at this end any more, while what it sends does.
    pub(crate) fn deafen(&mut self, id: EndId) {
        self.end(id).deaf = true;
        self.end(id).inbox.clear();
    }

    /// One direction stands still for a while, then everything arrives late.
    pub(crate) fn freeze(&mut self, id: EndId, time: Duration) {
        let until = self.now + time;
        self.end(id).frozen_until = until;
    }

    /// SIGSTOP: the process does nothing, and its kernel goes on taking what comes.
    pub(crate) fn stop(&mut self, node: Node, until: Instant) {
        self.stopped.insert(node, until);
    }

    /// SIGCONT for those whose time has come.
    pub(crate) fn wake(&mut self) {
        let now = self.now;
        self.stopped.retain(|_, until| *until > now);
    }

    pub(crate) fn is_running(&self, node: Node) -> bool {
        !self.stopped.contains_key(&node)
    }
}
