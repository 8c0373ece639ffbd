//! A connector that is enrolled and lies: about offsets, generations and instances in its records, on lanes that were
//! superseded, in its inventories, and with Kill. It serves streams of the honest client.

use super::records;
use crate::{
    stage::{EndId, LaneAt, Node, Stage, rng::Rng},
    words::Facts,
};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId};
use postern_tunnel_proto::{
    Event, Read, Reset, ResetClass,
    inventory::{self, Entry, State},
    stream::{Attach, Intake},
};
use std::time::Instant;

const INSTANCE: [u8; 16] = [0xbd; 16];

pub(crate) struct HostileConnector {
    links: Vec<Option<EndId>>,
    lanes: Vec<Lane>,
    next_tick: Instant,
    stops_at: Instant,
}

/// A lane of a stream, with what the client said about itself on it.
struct Lane {
    at: LaneAt,
    attach: Attach,
    facts: Facts,
    is_welcomed: bool,
    /// Its greeting was wrong: nothing that follows may be believed.
    is_condemned: bool,
    /// A newer lane of the stream came.
    is_older: bool,
    /// Where its Data began, and how far they went.
    base: u64,
    sent: u64,
    finished: bool,
}

impl HostileConnector {
    pub(crate) fn new(gateways: usize, now: Instant, stops_at: Instant) -> Self {
        Self { links: vec![None; gateways], lanes: vec![], next_tick: now, stops_at }
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: &Event, stage: &mut Stage) {
        match event {
            Event::Established { .. } => stage.net.link(end).inventory(Bytes::new(), true),
            Event::Incoming { lane, metadata, early, .. } => self.take((end, *lane), metadata, early, stage),
            Event::Reset { lane, .. } | Event::Done(lane) => {
                self.lanes.retain(|open| open.at != (end, *lane));
            }
            Event::Closed(_) => {
                self.lanes.retain(|open| open.at.0 != end);
                self.links.iter_mut().for_each(|link| *link = link.filter(|link| *link != end));
            }
            _ => {}
        }
    }

    fn take(&mut self, at: LaneAt, grant: &Bytes, early: &Bytes, stage: &mut Stage) {
        let attach = Intake::new().read(&mut early.clone());
        let (Ok(Some(attach)), Some((facts, _))) = (attach, Facts::read_grant(grant)) else { return };
        if stage.net.rng.one_in(8) {
            let code = stage.net.rng.pick(&[4409, 4410, 4411, 4429, 4444, 12]);
            return stage.net.link(at.0).refuse(at.1, code, b"\x1b[31m");
        }
        if stage.net.link(at.0).accept(at.1, Bytes::new()).is_err() {
            return;
        }
        for older in self.lanes.iter_mut().filter(|lane| lane.attach.stream == attach.stream) {
            older.is_older = true;
        }
        let (base, sent) = (attach.received, attach.received);
        let lane = Lane {
            at,
            attach,
            facts,
            is_welcomed: false,
            is_condemned: false,
            is_older: false,
            base,
            sent,
            finished: false,
        };
        self.lanes.push(lane);
    }

    pub(crate) fn drive(&mut self, stage: &mut Stage, gateways: &[bool]) {
        if stage.net.now < self.next_tick {
            return;
        }
        if stage.net.now >= self.stops_at {
            stage.net.kill(Node::HostileConnector, false);
            self.lanes.clear();
            return;
        }
        self.next_tick = stage.net.now + stage.net.rng.millis(1, 120);
        for (gateway, link) in self.links.iter_mut().enumerate().filter(|(gateway, _)| gateways[*gateway]) {
            let to = Node::Gateway(gateway);
            link.get_or_insert_with(|| stage.net.connect(Node::HostileConnector, to, INSTANCE));
        }
        for lane in &self.lanes {
            let (end, lane) = lane.at;
            while let Ok(Read::Chunk(chunk)) = stage.net.link(end).read(lane, usize::MAX) {
                let now = stage.net.now;
                stage.net.link(end).consume(lane, chunk.len(), now);
            }
        }
        if stage.net.rng.one_in(25) {
            self.make_noise_on_a_link(stage);
        }
        if !self.lanes.is_empty() {
            let at = stage.net.rng.index(self.lanes.len());
            self.lanes[at].lie(stage);
        }
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        Some(self.next_tick).filter(|at| *at > now && now < self.stops_at)
    }

    /// Says of sessions that are none of its business whatever may do harm.
    fn make_noise_on_a_link(&self, stage: &mut Stage) {
        let links: Vec<EndId> = self.links.iter().flatten().copied().collect();
        let sessions: Vec<(SessionId, StreamId)> =
            stage.model.store.sessions.iter().map(|(session, record)| (*session, record.stream)).collect();
        if links.is_empty() || sessions.is_empty() {
            return;
        }
        let end = stage.net.rng.pick(&links);
        let (session, stream) = stage.net.rng.pick(&sessions);
        stage.model.saw("a hostile connector named somebody else's session");
        match stage.net.rng.below(8) {
            0 => stage.net.link(end).kill(session, 4412),
            // The link is closed for it, as the protocol says.
            1 => stage.net.link(end).inventory(Bytes::from_static(&[7; 50]), true),
            _ => {
                let entry = self.entry(session, stream, &mut stage.net.rng);
                let parts = inventory::parts([entry]).unwrap();
                parts.into_iter().for_each(|part| stage.net.link(end).inventory(part, true));
            }
        }
    }

    fn entry(&self, session: SessionId, stream: StreamId, rng: &mut Rng) -> Entry {
        let own = self.lanes.first().map(|lane| lane.facts.grant(crate::epoch()));
        let grant = own.filter(|_| rng.one_in(2)).unwrap_or_else(|| Bytes::from_static(b"grant"));
        let state = rng.pick(&[State::Attached, State::Detached, State::Over(1000), State::Over(4412)]);
        let grant = if matches!(state, State::Over(_)) { Bytes::new() } else { grant };
        Entry { stream, session, generation: rng.pick(&[1, 2, 9, u32::MAX]), state, grant }
    }
}

impl Lane {
    fn lie(&mut self, stage: &mut Stage) {
        let (end, lane) = self.at;
        if stage.net.link(end).writable(lane) < 8_000 {
            return;
        }
        let said = if self.is_older || self.is_condemned {
            stage.model.saw("a hostile connector spoke on an older lane");
            // Everything would be wrong here.
            records::data(self.sent, &[0xee; 500])
        } else if self.is_welcomed {
            stage.model.saw("a hostile connector spoke");
            self.next_record(stage)
        } else {
            self.is_welcomed = true;
            self.greeting(&mut stage.net.rng)
        };
        let _full = stage.net.link(end).write(lane, &mut said.into());
        match stage.net.rng.below(60) {
            0 => stage.net.link(end).reset(lane, Reset { code: 4409, class: ResetClass::Detach }),
            1 => stage.net.link(end).reset(lane, Reset { code: 1000, class: ResetClass::End }),
            2 => {
                let _gone = stage.net.link(end).finish(lane);
            }
            _ => {}
        }
    }

    fn greeting(&mut self, rng: &mut Rng) -> Vec<u8> {
        let Attach { generation, .. } = self.attach;
        let kind = rng.below(10);
        self.is_condemned = kind < 3 || kind == 5;
        match kind {
            0 => records::welcome(2, generation, 0, INSTANCE),
            1 => records::welcome(1, generation.wrapping_add(1), 0, INSTANCE),
            2 => records::welcome(1, generation, 1 << 50, INSTANCE),
            3 => records::welcome(1, generation, 0, [0; 16]),
            4 => records::welcome(1, generation, 0, [1; 16]),
            5 => records::data(self.sent, &[0xee; 10]),
            6 => records::noise(rng),
            _ => records::welcome(1, generation, 0, INSTANCE),
        }
    }

    fn next_record(&mut self, stage: &mut Stage) -> Vec<u8> {
        let Stage { net, model, .. } = stage;
        let (rng, flow) = (&mut net.rng, &mut model.stream(self.attach.stream).down);
        let len = 1 + rng.below(2_000);
        let take = usize::try_from(len).unwrap();
        match rng.below(24) {
            0..=10 if !self.finished => {
                let from = self.sent;
                self.sent += len;
                flow.written = flow.written.max(self.sent);
                records::data(from, &flow.bytes(from, take))
            }
            11..=14 if !self.finished => {
                let back = rng.below((self.sent - self.base).min(4_000) + 1);
                let mut bytes = vec![0xee; usize::try_from(back).unwrap()];
                bytes.extend(flow.bytes(self.sent, take));
                let from = self.sent - back;
                self.sent += len;
                flow.written = flow.written.max(self.sent);
                records::data(from, &bytes)
            }
            15 => records::data(self.sent + len, &[0xee; 100]),
            16 | 17 => {
                let received = rng.any();
                self.is_condemned |= received > records::NEVER_WRITTEN;
                records::ack(received, rng.next())
            }
            18 => records::fin(self.sent + 1 + rng.below(2)),
            19 => {
                self.finished = true;
                (flow.finished, flow.written) = (true, self.sent);
                flow.fins.push(self.sent);
                records::fin(self.sent)
            }
            20 => records::end(rng.pick(&[1000, 4409, 4410, 4412, 0, u16::MAX])),
            _ => records::noise(rng),
        }
    }
}
