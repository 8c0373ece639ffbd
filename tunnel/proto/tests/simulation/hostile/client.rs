//! A client that is signed in and lies: about offsets, keys, generations and records; with streams of its own, and with
//! recordings and tickets of another client's.

use super::records;
use crate::{
    stage::{EndId, LaneAt, Node, Stage, rng::Rng},
    words::{Ask, sign},
};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Event, Open, Reset, ResetClass,
    stream::{Attach, Intake},
};
use std::time::Instant;

pub(crate) struct HostileClient {
    link: Option<EndId>,
    next_tick: Instant,
    /// Streams of its own that it did not open yet; every other id is somebody else's.
    fresh: Vec<StreamId>,
    lanes: Vec<Lane>,
    stops_at: Instant,
}

/// A lane of a stream of its own.
struct Lane {
    at: LaneAt,
    stream: StreamId,
    is_open: bool,
    generation: u32,
    /// Where this lane began.
    base: u64,
    /// Bytes that were sent without a gap; what came first of each position was right.
    sent: u64,
    finished: bool,
    /// It acknowledged what nobody wrote: nothing that follows may be believed.
    is_condemned: bool,
}

impl HostileClient {
    pub(crate) fn new(stage: &Stage, fresh: Vec<StreamId>, stops_at: Instant) -> Self {
        Self { link: None, next_tick: stage.net.now, fresh, lanes: vec![], stops_at }
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: &Event) {
        match event {
            Event::Opened { lane, .. } => {
                let opened = self.lanes.iter_mut().find(|open| open.at == (end, *lane));
                opened.into_iter().for_each(|open| open.is_open = true);
            }
            Event::Refused { lane, .. } | Event::Reset { lane, .. } | Event::Done(lane) => {
                self.lanes.retain(|open| open.at != (end, *lane));
            }
            Event::Closed(_) => {
                self.lanes.retain(|open| open.at.0 != end);
                self.link = self.link.filter(|link| *link != end);
            }
            _ => {}
        }
    }

    pub(crate) fn drive(&mut self, stage: &mut Stage, gateways: &[bool]) {
        if stage.net.now < self.next_tick {
            return;
        }
        if stage.net.now >= self.stops_at {
            stage.net.kill(Node::HostileClient, false);
            self.lanes.clear();
            return;
        }
        self.next_tick = stage.net.now + stage.net.rng.millis(1, 150);
        match self.link.filter(|end| stage.net.is_up(*end)) {
            Some(end) if stage.net.link(end).takes_lanes() => self.act(end, stage),
            Some(_) => self.link = self.link.filter(|_| stage.net.rng.below(50) > 0),
            None => {
                let gateway = stage.net.rng.index(gateways.len());
                let dials = gateways[gateway];
                let to = Node::Gateway(gateway);
                self.link = dials.then(|| stage.net.connect(Node::HostileClient, to, [0; 16]));
            }
        }
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        Some(self.next_tick).filter(|at| *at > now && now < self.stops_at)
    }

    fn act(&mut self, end: EndId, stage: &mut Stage) {
        match stage.net.rng.below(12) {
            0..=2 => self.open_own(end, stage),
            3 => self.use_what_was_stolen(end, stage),
            4 => ask_nonsense(end, stage),
            _ if self.lanes.is_empty() => self.open_own(end, stage),
            5 => self.open_again(end, stage),
            _ => {
                let at = stage.net.rng.index(self.lanes.len());
                self.lanes[at].lie(stage);
            }
        }
    }

    /// Opens a stream of its own: rightly, or with an Attach that is wrong in one place.
    fn open_own(&mut self, end: EndId, stage: &mut Stage) {
        let Some(stream) = self.fresh.last().copied() else { return };
        let key = key_of(stream);
        let rng = &mut stage.net.rng;
        let mut attach = first(stream, key, rng);
        let is_right = rng.one_in(2);
        if !is_right {
            spoil(&mut attach, rng);
        }
        attach.proof = sign(&attach.proof_message(), if rng.one_in(8) { [9; 32] } else { key });
        let sent = 1 + stage.net.rng.below(3_000);
        let flow = &mut stage.model.stream(stream).up;
        flow.written = flow.written.max(sent);
        let early =
            [records::attach(&attach), records::data(0, &flow.bytes(0, usize::try_from(sent).unwrap()))];
        let metadata = Ask::Open { connector: Node::Connector }.to_bytes();
        let opened = stage.net.link(end).open(Open { flow: 3, metadata, early: early.concat().into() });
        if let Ok(lane) = opened
            && is_right
        {
            self.fresh.pop();
            let generation = attach.generation;
            let lane = Lane {
                at: (end, lane),
                stream,
                is_open: false,
                generation,
                base: 0,
                sent,
                finished: false,
                is_condemned: false,
            };
            self.lanes.push(lane);
        }
    }

    /// Races a lane of its own with another one, whose receive offset is anything.
    fn open_again(&mut self, end: EndId, stage: &mut Stage) {
        let older = &self.lanes[stage.net.rng.index(self.lanes.len())];
        let (stream, base, finished) = (older.stream, older.sent, older.finished);
        let Some(generation) = older.generation.checked_add(1) else { return };
        let key = key_of(stream);
        let received = stage.net.rng.pick(&[0, 0, 1, 1_000, u64::MAX]);
        let mut attach = Attach { generation, received, ..first(stream, key, &mut stage.net.rng) };
        attach.proof = sign(&attach.proof_message(), key);
        let metadata = Ask::Open { connector: Node::Connector }.to_bytes();
        let early = records::attach(&attach).into();
        if let Ok(lane) = stage.net.link(end).open(Open { flow: 3, metadata, early }) {
            let at = (end, lane);
            let lane = Lane {
                at,
                stream,
                is_open: false,
                generation,
                base,
                sent: base,
                finished,
                is_condemned: false,
            };
            self.lanes.push(lane);
        }
    }

    /// Somebody else's ticket, recording or stream id.
    fn use_what_was_stolen(&self, end: EndId, stage: &mut Stage) {
        let stolen = &stage.recordings.asked;
        if stolen.is_empty() {
            return;
        }
        let (metadata, early) = stolen[stage.net.rng.index(stolen.len())].clone();
        let Ok(Some(recorded)) = Intake::new().read(&mut early.clone()) else { return };
        stage.model.saw("a thief tried what it stole");
        let early = if stage.net.rng.one_in(2) {
            early
        } else {
            let key = key_of(recorded.stream);
            let key = key.map(|byte| byte ^ 0x55);
            let mut forged = Attach { key, generation: recorded.generation + 7, ..recorded };
            forged.proof = sign(&forged.proof_message(), key);
            records::attach(&forged).into()
        };
        let _refused = stage.net.link(end).open(Open { flow: 3, metadata, early });
    }
}

impl Lane {
    fn lie(&mut self, stage: &mut Stage) {
        let (end, lane) = self.at;
        if !self.is_open || stage.net.link(end).writable(lane) < 8_000 {
            return;
        }
        stage.model.saw("a hostile client spoke");
        let Stage { net, model, .. } = stage;
        let (rng, flow) = (&mut net.rng, &mut model.stream(self.stream).up);
        let len = 1 + rng.below(2_000);
        let take = usize::try_from(len).unwrap();
        let said = match rng.below(24) {
            // It should be over: whatever is still believed is wrong.
            _ if self.is_condemned => records::data(self.sent, &[0xee; 300]),
            // Honest enough to be believed.
            0..=9 if !self.finished => {
                let bytes = flow.bytes(self.sent, take);
                let from = self.sent;
                self.sent += len;
                flow.written = flow.written.max(self.sent);
                records::data(from, &bytes)
            }
            // What was said before, told otherwise, and a little more of what is right.
            10..=14 if !self.finished => {
                let back = rng.below((self.sent - self.base).min(4_000) + 1);
                let from = self.sent - back;
                let mut bytes = vec![0xee; usize::try_from(back).unwrap()];
                bytes.extend(flow.bytes(self.sent, take));
                self.sent += len;
                flow.written = flow.written.max(self.sent);
                records::data(from, &bytes)
            }
            15 => records::data(self.sent + len, &[0xee; 100]),
            16 => {
                let received = rng.any();
                self.is_condemned |= received > records::NEVER_WRITTEN;
                records::ack(received, rng.next())
            }
            17 => records::fin(self.sent + 1 + rng.below(2)),
            18 | 19 => {
                self.finished = true;
                flow.finished = true;
                flow.written = self.sent;
                flow.fins.push(self.sent);
                records::fin(self.sent)
            }
            20 if self.sent > self.base => records::data(self.sent - 1, &[0xee; 1]),
            _ => records::noise(rng),
        };
        say(self.at, &said, stage);
    }
}

/// In one piece, or byte by byte; sometimes the lane is reset or finished after it.
fn say((end, lane): LaneAt, said: &[u8], stage: &mut Stage) {
    let step = if stage.net.rng.one_in(6) { said.len().div_ceil(30) } else { said.len() };
    for piece in said.chunks(step.max(1)) {
        let _full = stage.net.link(end).write(lane, &mut Bytes::copy_from_slice(piece));
    }
    match stage.net.rng.below(80) {
        0 => {
            let _gone = stage.net.link(end).finish(lane);
        }
        1 => stage.net.link(end).reset(lane, Reset { code: 4442, class: ResetClass::End }),
        2 => stage.net.link(end).reset(lane, Reset { code: 60_000, class: ResetClass::Detach }),
        _ => {}
    }
}

fn ask_nonsense(end: EndId, stage: &mut Stage) {
    let metadata: Bytes = stage.net.rng.pick(&[&b""[..], &[0], &[0, 1], &[1], &[1, 2, 3], &[9; 40]]).into();
    let early = records::noise(&mut stage.net.rng).into();
    let _refused = stage.net.link(end).open(Open { flow: 3, metadata, early });
}

fn key_of(stream: StreamId) -> [u8; 32] {
    [stream.to_bytes()[0]; 32]
}

fn first(stream: StreamId, key: [u8; 32], rng: &mut Rng) -> Attach {
    let generation = rng.pick(&[1, 1, 2, u32::MAX]);
    Attach {
        version_min: 1,
        version_max: 1,
        resume_only: false,
        stream,
        key,
        generation,
        received: 0,
        instance: [0; 16],
        proof: [0; 64],
    }
}

fn spoil(attach: &mut Attach, rng: &mut Rng) {
    match rng.below(6) {
        0 => (attach.version_min, attach.version_max) = (2, 9),
        1 => attach.received = 1 + rng.below(1_000),
        2 => attach.generation = 0,
        3 => attach.resume_only = true,
        4 => attach.version_min = 7,
        _ => attach.key = [0x33; 32],
    }
}
