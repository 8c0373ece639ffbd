//! Two links that do everything at random with their lanes, against a model of what each lane owes.

use crate::stage::rng::Rng;
use bytes::Bytes;
use postern_tunnel_proto::{
    Config, Event, LaneId, Link, Open, Outcome, Read, Reset, ResetClass, Side, Transmit,
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// One direction of one lane.
#[derive(Default)]
struct Direction {
    written: u64,
    read: u64,
    unconsumed: usize,
    finished: bool,
    ended: bool,
}

/// One end: its link, its lanes (the directions that it sends and receives) and the messages on their way from it.
struct End {
    link: Link,
    open: BTreeMap<LaneId, [Direction; 2]>,
    wire: VecDeque<Bytes>,
    offered: Vec<LaneId>,
    out: Transmit,
}

const SENT: usize = 0;
const RECEIVED: usize = 1;

fn byte(lane: LaneId, from: usize, at: u64) -> u8 {
    let x = (u64::from(lane.0) * 2 + u64::try_from(from).unwrap()) ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u8::try_from((x ^ (x >> 17)) & 0xff).unwrap()
}

/// Runs a seed. With `hostile`, messages are damaged on their way: then nothing is promised but an orderly refusal.
pub(crate) fn run(seed: u64, hostile: bool) -> Result<u64, String> {
    let (mut rng, mut now) = (Rng::new(seed), crate::epoch());
    let mut ends = [Side::Dialer, Side::Acceptor].map(|side| End::new(side, now, &mut rng));
    let mut moved = 0;
    for _ in 0..rng.between(50, 600) {
        now += rng.micros(0, 2_000);
        let side = rng.index(2);
        for _ in 0..rng.index(4) {
            let acted = ends[side].act(side, &mut rng, now);
            // Damaged payload is not the protocol's to notice: below it is TLS.
            if !hostile {
                acted?;
            }
        }
        moved += exchange(&mut ends, side, rng.between(0, 3), hostile.then_some(&mut rng), now);
        for (side, end) in ends.iter_mut().enumerate() {
            end.hear(&mut rng);
            if let Some(over) = end.link.ended() {
                return if hostile { Ok(moved) } else { Err(format!("end {side} is over: {over:?}")) };
            }
            if end.link.buffered() > 4 * 1024 * 1024 {
                return Err(format!("end {side} holds {} bytes", end.link.buffered()));
            }
        }
    }
    if hostile { Ok(moved) } else { settle(&mut ends, &mut rng, now).map(|()| moved) }
}

/// Moves up to `count` messages from one end to the other.
fn exchange(
    ends: &mut [End; 2],
    from: usize,
    count: usize,
    mut damage: Option<&mut Rng>,
    now: Instant,
) -> u64 {
    let mut moved = 0;
    while ends[from].transmit(now) {}
    for _ in 0..count {
        let Some(message) = ends[from].wire.pop_front() else { break };
        moved += u64::try_from(message.len()).unwrap();
        let message = match &mut damage {
            Some(rng) => {
                if rng.one_in(20) {
                    damaged(&message, rng)
                } else {
                    message
                }
            }
            None => message,
        };
        ends[1 - from].link.handle_message(message, now);
    }
    moved
}

fn damaged(message: &Bytes, rng: &mut Rng) -> Bytes {
    let mut bytes = message.to_vec();
    for _ in 0..rng.between(1, 4) {
        let at = rng.index(bytes.len());
        match rng.below(4) {
            0 => bytes[at] = u8::try_from(rng.below(256)).unwrap(),
            1 => bytes[at] ^= 1 << rng.below(8),
            2 => bytes.truncate(at.max(1)),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes.into()
}

/// Finishes and reads everything: then nothing may be left.
fn settle(ends: &mut [End; 2], rng: &mut Rng, mut now: Instant) -> Result<(), String> {
    for _ in 0..2_000 {
        now += Duration::from_millis(1);
        for side in [0, 1] {
            exchange(ends, side, usize::MAX, None, now);
            let end = &mut ends[side];
            end.hear(rng);
            for lane in std::mem::take(&mut end.offered) {
                end.accept(lane);
            }
            let lanes: Vec<LaneId> = end.open.keys().copied().collect();
            for lane in lanes {
                let _gone = end.link.finish(lane);
                end.open.entry(lane).or_default()[SENT].finished = true;
                while end.read(side, lane, usize::MAX)? {}
                end.consume(lane, now);
            }
        }
        if ends.iter().all(|end| end.link.lanes() == 0 && end.wire.is_empty() && !end.link.wants_transmit()) {
            let held: usize = ends.iter().map(|end| end.link.buffered()).sum();
            return if held == 0 { Ok(()) } else { Err(format!("{held} bytes are held by nothing")) };
        }
    }
    Err("lanes are left".into())
}

impl End {
    fn new(side: Side, now: Instant, rng: &mut Rng) -> Self {
        let mut config = Config::new(side);
        config.churn = None;
        config.limits.lanes_max = u32::try_from(rng.between(1, 20)).unwrap();
        config.limits.send_buffer = u32::try_from(rng.between(1_000, 100_000)).unwrap();
        config.limits.window = u32::try_from(rng.between(65_536, 100_000)).unwrap();
        let link = Link::new(config, now);
        Self { link, open: BTreeMap::new(), wire: VecDeque::new(), offered: vec![], out: Transmit::new() }
    }

    fn transmit(&mut self, now: Instant) -> bool {
        let sent = self.link.poll_transmit(&mut self.out, now) == Outcome::Message;
        if sent {
            self.wire.push_back(self.out.to_bytes());
            self.link.handle_flushed(now);
        }
        sent
    }

    fn accept(&mut self, lane: LaneId) {
        if self.link.accept(lane, Bytes::new()).is_ok() {
            self.open.insert(lane, <[Direction; 2]>::default());
        }
    }

    fn hear(&mut self, rng: &mut Rng) {
        while let Some(event) = self.link.poll_event() {
            match event {
                Event::Incoming { lane, .. } if rng.one_in(5) => self.link.refuse(lane, 4403, b"no"),
                Event::Incoming { lane, .. } => self.offered.push(lane),
                Event::Opened { lane, .. } => {
                    self.open.insert(lane, <[Direction; 2]>::default());
                }
                Event::Reset { lane, .. } | Event::Done(lane) => {
                    self.open.remove(&lane);
                }
                _ => {}
            }
        }
    }

    /// Does one thing that an application may do.
    fn act(&mut self, side: usize, rng: &mut Rng, now: Instant) -> Result<(), String> {
        if !self.offered.is_empty() && rng.one_in(2) {
            let lane = self.offered.swap_remove(rng.index(self.offered.len()));
            self.accept(lane);
        }
        if rng.one_in(4) {
            let flow = rng.below(3);
            let _at_limit = self.link.open(Open { flow, ..Open::default() });
        }
        let lanes: Vec<LaneId> = self.open.keys().copied().collect();
        if lanes.is_empty() {
            return Ok(());
        }
        let lane = rng.pick(&lanes);
        match rng.below(20) {
            0..=7 => self.write(side, lane, rng),
            8..=14 => {
                self.read(side, lane, rng.pick(&[1, 1_000, usize::MAX]))?;
            }
            15..=17 => self.consume(lane, now),
            18 => {
                let _gone = self.link.finish(lane);
                self.open.entry(lane).or_default()[SENT].finished = true;
            }
            _ if rng.one_in(4) => {
                self.link.reset(lane, Reset { code: 1000, class: ResetClass::End });
                self.open.remove(&lane);
            }
            _ => self.link.ping(),
        }
        Ok(())
    }

    fn write(&mut self, side: usize, lane: LaneId, rng: &mut Rng) {
        let Some([sent, _]) = self.open.get_mut(&lane) else { return };
        let len = u64::try_from(rng.pick(&[1, 100, 5_000, 70_000])).unwrap();
        let bytes: Vec<u8> = (sent.written..sent.written + len).map(|at| byte(lane, side, at)).collect();
        if let Ok(taken) = self.link.write(lane, &mut bytes.into()) {
            sent.written += u64::try_from(taken).unwrap();
        }
    }

    /// Reads once; says whether there may be more.
    fn read(&mut self, side: usize, lane: LaneId, max: usize) -> Result<bool, String> {
        let Some([_, received]) = self.open.get_mut(&lane) else { return Ok(false) };
        match self.link.read(lane, max) {
            Ok(Read::Chunk(chunk)) => {
                if received.ended {
                    return Err(format!("{lane:?}: bytes after the end"));
                }
                for &got in &chunk {
                    if got != byte(lane, 1 - side, received.read) {
                        return Err(format!("{lane:?}: byte {} is wrong", received.read));
                    }
                    received.read += 1;
                }
                received.unconsumed += chunk.len();
                Ok(true)
            }
            Ok(Read::Finished) => {
                received.ended = true;
                Ok(false)
            }
            Ok(Read::Blocked) | Err(_) => Ok(false),
        }
    }

    fn consume(&mut self, lane: LaneId, now: Instant) {
        if let Some(directions) = self.open.get_mut(&lane) {
            let bytes = std::mem::take(&mut directions[RECEIVED].unconsumed);
            self.link.consume(lane, bytes, now);
        }
    }
}
