//! Two links joined by a wire with latency, on virtual time.
#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test binary uses a part of it")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use bytes::Bytes;
use postern_tunnel_proto::{Config, Event, LaneId, Link, Open, Outcome, Read, Side, Transmit};
use std::{
    collections::VecDeque,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Some instant; the only clock reading of the tests, everything else is added to it.
#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
pub fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// One end: its link, what it has sent and what it was told.
pub struct End {
    pub link: Link,
    pub events: Vec<Event>,
    pub closed: Option<(u16, String)>,
    wire: VecDeque<(Instant, Bytes)>,
    out: Transmit,
}

/// The dialer `a`, the acceptor `b` and the time.
pub struct Pair {
    pub a: End,
    pub b: End,
    pub now: Instant,
    pub latency: Duration,
}

impl End {
    fn new(config: Config, now: Instant) -> Self {
        let link = Link::new(config, now);
        Self { link, events: vec![], closed: None, wire: VecDeque::new(), out: Transmit::new() }
    }

    fn transmit(&mut self, now: Instant, arrives: Instant) -> bool {
        match self.link.poll_transmit(&mut self.out, now) {
            Outcome::Idle => false,
            Outcome::Message => {
                self.wire.push_back((arrives, self.out.to_bytes()));
                self.link.handle_flushed(now);
                true
            }
            Outcome::Close { code, reason } => {
                self.closed = Some((code, reason.into_owned()));
                false
            }
        }
    }

    /// Everything that a lane has to read, consumed at once.
    pub fn read_all(&mut self, lane: LaneId, now: Instant) -> (Vec<u8>, bool) {
        let mut all = vec![];
        loop {
            match self.link.read(lane, usize::MAX) {
                Ok(Read::Chunk(chunk)) => {
                    self.link.consume(lane, chunk.len(), now);
                    all.extend_from_slice(&chunk);
                }
                Ok(Read::Blocked) | Err(_) => return (all, false),
                Ok(Read::Finished) => return (all, true),
            }
        }
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Pair {
    pub fn new() -> Self {
        Self::with(Config::new(Side::Dialer), Config::new(Side::Acceptor))
    }

    /// Links that have shaken hands.
    pub fn with(a: Config, b: Config) -> Self {
        let mut pair = Self::strangers(a, b);
        pair.drive();
        pair.a.take_events();
        pair.b.take_events();
        pair
    }

    pub fn strangers(a: Config, b: Config) -> Self {
        let now = epoch();
        Self { a: End::new(a, now), b: End::new(b, now), now, latency: Duration::from_micros(100) }
    }

    /// Moves messages and time until nothing is on its way.
    pub fn drive(&mut self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the links do not come to rest");
    }

    /// Sends what can be sent, then moves to the next arrival. False when nothing is on its way.
    pub fn step(&mut self) -> bool {
        let arrives = self.now + self.latency;
        while self.a.transmit(self.now, arrives) {}
        while self.b.transmit(self.now, arrives) {}
        let next = [&self.a, &self.b].iter().filter_map(|end| end.wire.front()).map(|(at, _)| *at).min();
        let Some(next) = next else {
            self.collect();
            return false;
        };
        self.now = self.now.max(next);
        deliver(&mut self.a, &mut self.b, self.now);
        deliver(&mut self.b, &mut self.a, self.now);
        self.collect();
        true
    }

    fn collect(&mut self) {
        for end in [&mut self.a, &mut self.b] {
            while let Some(event) = end.link.poll_event() {
                end.events.push(event);
            }
        }
    }

    /// A lane that `a` opened and `b` accepted.
    pub fn lane(&mut self, flow: u64) -> LaneId {
        let lane = self.a.link.open(Open { flow, ..Open::default() }).expect("the link takes lanes");
        self.drive();
        self.b.link.accept(lane, Bytes::new()).expect("the lane was offered");
        self.drive();
        self.a.take_events();
        self.b.take_events();
        lane
    }

    /// Lets time pass, with every timer that falls into it, and messages answered.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drive();
            let due = [self.a.link.poll_timeout(), self.b.link.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due.filter(|&due| due <= end) else { break };
            self.now = self.now.max(due);
            for side in [&mut self.a, &mut self.b] {
                if side.link.poll_timeout().is_some_and(|due| due <= self.now) {
                    side.link.handle_timeout(self.now);
                }
            }
        }
        self.now = self.now.max(end);
    }
}

fn deliver(from: &mut End, to: &mut End, now: Instant) {
    while let Some((_, message)) = from.wire.pop_front_if(|(at, _)| *at <= now) {
        to.link.handle_message(message, now);
    }
}
