//! Wires: pairs of links with latency, a rate, and every way to die that TCP and processes have.

mod end;
mod faults;

use super::{rng::Rng, trace::Trace};
use bytes::Bytes;
use end::End;
use postern_tunnel_proto::{EndedBy, Event, LaneId, Link, Outcome, Side, Transmit};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Client,
    Gateway(usize),
    Connector,
    /// A client that is signed in and does what it likes.
    HostileClient,
    /// A connector that is enrolled and does what it likes.
    HostileConnector,
}

impl Node {
    pub(crate) fn is_hostile(self) -> bool {
        matches!(self, Self::HostileClient | Self::HostileConnector)
    }
}

/// One end of one wire.
pub(crate) type EndId = (usize, usize);
/// A lane as its end knows it.
pub(crate) type LaneAt = (EndId, LaneId);

enum Packet {
    Message(Bytes),
    Close(u16),
}

struct Wire {
    ends: [End; 2],
    latency: Duration,
    /// Bytes per microsecond.
    rate: u64,
    cut: bool,
    /// The process that dialed, as it names itself.
    instance: [u8; 16],
    dialed: Instant,
}

/// All wires, the time, chance and the trace.
pub(crate) struct Net {
    wires: Vec<Wire>,
    /// Those on which something may still happen.
    active: Vec<usize>,
    /// Processes that stand still (SIGSTOP): until when.
    stopped: BTreeMap<Node, Instant>,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    out: Transmit,
}

impl Net {
    pub(crate) fn new(seed: u64, keep_trace: bool) -> Self {
        Self {
            wires: vec![],
            active: vec![],
            stopped: BTreeMap::new(),
            now: crate::epoch(),
            rng: Rng::new(seed),
            trace: Trace::new(keep_trace),
            out: Transmit::new(),
        }
    }

    /// Joins a dialer and an acceptor; gives the dialer's end, the other is its peer.
    pub(crate) fn connect(&mut self, dialer: Node, acceptor: Node, instance: [u8; 16]) -> EndId {
        let ends = [End::new(Side::Dialer, dialer, self.now), End::new(Side::Acceptor, acceptor, self.now)];
        let latency = self.rng.micros(50, 60_000);
        let rate = self.rng.pick(&[1, 10, 1_000]);
        self.wires.push(Wire { ends, latency, rate, cut: false, instance, dialed: self.now });
        let wire = self.wires.len() - 1;
        self.active.push(wire);
        (wire, 0)
    }

    fn end(&mut self, (wire, side): EndId) -> &mut End {
        &mut self.wires[wire].ends[side]
    }

    pub(crate) fn link(&mut self, id: EndId) -> &mut Link {
        &mut self.end(id).link
    }

    pub(crate) fn peer((wire, side): EndId) -> EndId {
        (wire, 1 - side)
    }

    /// Who stands at the other end, and the instance that it dialed with.
    pub(crate) fn dialer(&self, (wire, _): EndId) -> (Node, [u8; 16]) {
        (self.wires[wire].ends[0].node, self.wires[wire].instance)
    }

    /// When the wire was made.
    pub(crate) fn dialed(&self, (wire, _): EndId) -> Instant {
        self.wires[wire].dialed
    }

    pub(crate) fn node(&self, (wire, side): EndId) -> Node {
        self.wires[wire].ends[side].node
    }

    pub(crate) fn is_up(&self, (wire, side): EndId) -> bool {
        let end = &self.wires[wire].ends[side];
        end.alive && end.link.ended().is_none()
    }

    /// Ends whose links have not ended, of one process or of all.
    pub(crate) fn live_ends(&self, of: Option<Node>) -> Vec<EndId> {
        let ids = self.active.iter().flat_map(|&wire| [(wire, 0), (wire, 1)]);
        ids.filter(|&id| self.is_up(id) && of.is_none_or(|node| node == self.node(id))).collect()
    }

    /// Delivers what is due, runs timers, sends what can be sent. The news of one link come in order, those of different
    /// links in any.
    pub(crate) fn pump(&mut self) -> Result<Vec<(EndId, Node, Event)>, String> {
        let wires = &self.wires;
        self.active.retain(|&wire| wires[wire].ends.iter().any(|end| !end.is_over()));
        let ids = self.active.iter().flat_map(|&wire| [(wire, 0), (wire, 1)]);
        let mut ids: Vec<EndId> = ids.filter(|&id| self.is_at_work(id)).collect();
        self.rng.shuffle(&mut ids);
        let mut queues: Vec<(EndId, VecDeque<Event>)> = vec![];
        for id in ids {
            let (now, peer) = (self.now, self.node(Self::peer(id)));
            let events = self.end(id).hear(peer, now)?;
            if !events.is_empty() {
                queues.push((id, events.into()));
            }
            let timed_out = |event: &Event| matches!(event, Event::Closed(end) if end.by == EndedBy::Timeout);
            if queues.last().is_some_and(|(of, events)| *of == id && events.iter().any(timed_out)) {
                // Its shell drops the connection, which the peer may hear.
                self.deliver(id, Packet::Close(1006), Duration::ZERO);
            }
            self.transmit(id);
        }
        Ok(self.interleave(queues))
    }

    fn is_at_work(&self, (wire, side): EndId) -> bool {
        let end = &self.wires[wire].ends[side];
        end.alive && !self.stopped.contains_key(&end.node)
    }

    fn interleave(&mut self, mut queues: Vec<(EndId, VecDeque<Event>)>) -> Vec<(EndId, Node, Event)> {
        let mut news = vec![];
        while !queues.is_empty() {
            let at = self.rng.index(queues.len());
            let (id, queue) = &mut queues[at];
            let id = *id;
            news.extend(queue.pop_front().map(|event| (id, self.wires[id.0].ends[id.1].node, event)));
            queues.retain(|(_, queue)| !queue.is_empty());
        }
        news
    }

    fn transmit(&mut self, id: EndId) {
        let now = self.now;
        let mut out = std::mem::take(&mut self.out);
        loop {
            let (latency, rate) = (self.wires[id.0].latency, self.wires[id.0].rate);
            let end = self.end(id);
            if end.busy_until > now {
                break;
            }
            match end.link.poll_transmit(&mut out, now) {
                Outcome::Idle => break,
                Outcome::Message => {
                    let took = end.write(out.len(), rate, now);
                    let message = out.to_bytes();
                    self.deliver(id, Packet::Message(message), took + latency);
                }
                Outcome::Close { code, .. } => {
                    self.deliver(id, Packet::Close(code), latency);
                    break;
                }
            }
        }
        self.out = out;
    }

    fn deliver(&mut self, from: EndId, packet: Packet, after: Duration) {
        let jitter = self.rng.micros(0, 500);
        let (at, cut) = (self.now + after + jitter, self.wires[from.0].cut);
        let to = self.end(Self::peer(from));
        if !cut && !to.deaf {
            to.last_arrival = to.last_arrival.max(at);
            to.inbox.push_back((to.last_arrival, packet));
        }
    }

    /// When something happens next on any wire.
    pub(crate) fn next(&self) -> Option<Instant> {
        let ids = self.active.iter().flat_map(|&wire| [(wire, 0), (wire, 1)]);
        let ends = ids.filter(|&id| self.is_at_work(id));
        let ends = ends.filter_map(|(wire, side)| self.wires[wire].ends[side].next());
        ends.chain(self.stopped.values().copied()).min()
    }

    pub(crate) fn say(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.say(self.now, what);
    }
}
