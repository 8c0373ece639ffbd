//! A gateway: joins a client's lane to a lane of the connector and moves bytes, credit, ends and resets.

use crate::net::{EndId, Net};
use postern_ids::{Ended, Refusal};
use postern_tunnel_proto::{Event, LaneId, Open, Read, Reset, ResetClass};
use std::{collections::BTreeMap, time::Instant};

type LaneAt = (EndId, LaneId);

#[derive(Default)]
pub(crate) struct Gateway {
    /// When it starts again; `None` while it runs.
    pub(crate) down_until: Option<Instant>,
    pub(crate) ends: Vec<EndId>,
    pub(crate) connector: Option<EndId>,
    joined: BTreeMap<LaneAt, LaneAt>,
}

impl Gateway {
    pub(crate) fn on_event(&mut self, end: EndId, event: Event, net: &mut Net) {
        match event {
            Event::Incoming { lane, flow, metadata, early } => {
                let open = Open { flow, metadata, early };
                let there =
                    self.connector.filter(|&to| net.is_up(to)).map(|to| (to, net.link(to).open(open)));
                match there {
                    Some((to, Ok(other))) => self.join((end, lane), (to, other)),
                    Some((_, Err(_))) | None => net.link(end).refuse(lane, Refusal::NoConnector.code(), b""),
                }
            }
            Event::Opened { lane, metadata } => match self.joined.get(&(end, lane)) {
                Some(&(to, other)) if net.link(to).accept(other, metadata).is_ok() => {}
                Some(_) | None => net.link(end).reset(lane, detach()),
            },
            Event::Refused { lane, code, detail } => {
                if let Some((to, other)) = self.part((end, lane)) {
                    net.link(to).refuse(other, code, &detail);
                }
            }
            Event::Readable(lane) | Event::Writable(lane) => self.move_bytes((end, lane), net),
            Event::Reset { lane, reset } => {
                if let Some((to, other)) = self.part((end, lane)) {
                    net.link(to).reset(other, reset);
                }
            }
            Event::Closed(_) => self.on_link_lost(end, net),
            _ => {}
        }
    }

    fn join(&mut self, a: LaneAt, b: LaneAt) {
        self.joined.insert(a, b);
        self.joined.insert(b, a);
    }

    fn part(&mut self, at: LaneAt) -> Option<LaneAt> {
        let other = self.joined.remove(&at)?;
        self.joined.remove(&other);
        Some(other)
    }

    fn move_bytes(&mut self, at: LaneAt, net: &mut Net) {
        let Some(&other) = self.joined.get(&at) else { return };
        forward(at, other, net);
        forward(other, at, net);
    }

    fn on_link_lost(&mut self, end: EndId, net: &mut Net) {
        self.ends.retain(|&other| other != end);
        if self.connector == Some(end) {
            self.connector = None;
        }
        let lost: Vec<LaneAt> = self.joined.keys().copied().filter(|(on, _)| *on == end).collect();
        for at in lost {
            if let Some((to, other)) = self.part(at) {
                net.link(to).reset(other, detach());
            }
        }
    }

    /// The process dies; its state with it.
    pub(crate) fn kill(&mut self, until: Instant, net: &mut Net) {
        for end in std::mem::take(&mut self.ends) {
            let silent = net.rng.one_in(6);
            net.drop_end(end, silent);
        }
        *self = Self { down_until: Some(until), ..Self::default() };
    }

    /// SIGTERM: says so, detaches everything, goes.
    pub(crate) fn drain(&mut self, net: &mut Net) {
        for &end in &self.ends {
            net.link(end).go_away(Ended::GatewayStopped.code(), "restart");
        }
        for (end, lane) in std::mem::take(&mut self.joined).into_keys() {
            net.link(end).reset(lane, detach());
        }
        for &end in &self.ends {
            net.link(end).close(Ended::GatewayStopped.code(), "restart");
        }
    }
}

fn detach() -> Reset {
    Reset { code: Ended::GatewayStopped.code(), class: ResetClass::Detach }
}

fn forward((from, lane): LaneAt, (to, other): LaneAt, net: &mut Net) {
    let now = net.now;
    loop {
        let room = net.link(to).writable(other);
        if room == 0 {
            return net.link(to).want_write(other);
        }
        match net.link(from).read(lane, room) {
            Ok(Read::Chunk(mut chunk)) => {
                let len = chunk.len();
                let _taken = net.link(to).write(other, &mut chunk);
                net.link(from).consume(lane, len, now);
            }
            Ok(Read::Finished) => {
                let _gone = net.link(to).finish(other);
                return;
            }
            Ok(Read::Blocked) | Err(_) => return,
        }
    }
}
