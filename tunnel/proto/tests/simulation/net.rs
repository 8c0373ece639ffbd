//! Wires: pairs of links with latency, a rate, and every way to die that TCP has.

use crate::{rng::Rng, trace::Trace};
use bytes::Bytes;
use postern_tunnel_proto::{Config, EndedBy, Event, Link, Outcome, Side, Transmit};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Who stands at the end of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Client,
    Gateway(usize),
    Connector,
}

/// One end of one wire.
pub(crate) type EndId = (usize, usize);

enum Packet {
    Message(Bytes),
    Close(u16),
}

pub(crate) struct End {
    pub(crate) link: Link,
    pub(crate) owner: Owner,
    /// Its process is there and has not dropped it.
    pub(crate) alive: bool,
    inbox: VecDeque<(Instant, Packet)>,
    busy_until: Instant,
    last_arrival: Instant,
    /// Nothing arrives before this, and then all of it.
    frozen_until: Instant,
}

struct Wire {
    ends: [End; 2],
    latency: Duration,
    /// Bytes per microsecond.
    rate: u64,
    cut: bool,
}

/// All wires, the time, chance and the trace.
pub(crate) struct Net {
    wires: Vec<Wire>,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    out: Transmit,
}

impl Net {
    pub(crate) fn new(seed: u64, keep_trace: bool) -> Self {
        Self {
            wires: vec![],
            now: crate::epoch(),
            rng: Rng::new(seed),
            trace: Trace::new(keep_trace),
            out: Transmit::new(),
        }
    }

    /// Joins a dialer and an acceptor; gives the dialer's end, the other is its peer.
    pub(crate) fn connect(&mut self, dialer: Owner, acceptor: Owner) -> EndId {
        let now = self.now;
        let end = |side, owner| {
            let mut config = Config::new(side);
            (config.limits.window, config.limits.send_buffer) = (65_536, 32_768);
            let link = Link::new(config, now);
            End {
                link,
                owner,
                alive: true,
                inbox: VecDeque::new(),
                busy_until: now,
                last_arrival: now,
                frozen_until: now,
            }
        };
        let ends = [end(Side::Dialer, dialer), end(Side::Acceptor, acceptor)];
        let latency = self.rng.micros(50, 60_000);
        let rate = self.rng.pick(&[1, 10, 1_000]);
        self.wires.push(Wire { ends, latency, rate, cut: false });
        (self.wires.len() - 1, 0)
    }

    pub(crate) fn end(&mut self, (wire, side): EndId) -> &mut End {
        &mut self.wires[wire].ends[side]
    }

    pub(crate) fn link(&mut self, id: EndId) -> &mut Link {
        &mut self.end(id).link
    }

    pub(crate) fn peer((wire, side): EndId) -> EndId {
        (wire, 1 - side)
    }

    pub(crate) fn is_up(&self, (wire, side): EndId) -> bool {
        let end = &self.wires[wire].ends[side];
        end.alive && end.link.ended().is_none()
    }

    pub(crate) fn live_ends(&self) -> Vec<EndId> {
        let ids = (0..self.wires.len()).flat_map(|wire| [(wire, 0), (wire, 1)]);
        ids.filter(|&id| self.is_up(id)).collect()
    }

    /// The process at this end is gone, or dropped the link. The other end hears of it, or never does.
    pub(crate) fn drop_end(&mut self, id: EndId, silent: bool) {
        self.end(id).alive = false;
        self.wires[id.0].cut = true;
        if !silent {
            self.reset_at(Self::peer(id));
        }
    }

    /// Both ends lose the connection: with a reset each, or in silence.
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
        let at = at.max(end.last_arrival.min(at));
        end.inbox.push_back((at, Packet::Close(1006)));
    }

    /// One direction stands still for a while, then everything arrives late.
    pub(crate) fn freeze(&mut self, id: EndId, time: Duration) {
        let until = self.now + time;
        self.end(id).frozen_until = until;
    }

    /// Delivers what is due, runs timers, sends what can be sent. Says which ends have news.
    pub(crate) fn pump(&mut self) -> Result<Vec<(EndId, Owner, Event)>, String> {
        let mut news = vec![];
        for wire in 0..self.wires.len() {
            for side in [0, 1] {
                self.pump_end((wire, side), &mut news)?;
            }
        }
        Ok(news)
    }

    fn pump_end(&mut self, id: EndId, news: &mut Vec<(EndId, Owner, Event)>) -> Result<(), String> {
        let now = self.now;
        let end = self.end(id);
        if !end.alive {
            return Ok(());
        }
        let frozen = end.frozen_until > now;
        while let Some((_, packet)) = end.inbox.pop_front_if(|(at, _)| !frozen && *at <= now) {
            match packet {
                Packet::Message(message) => end.link.handle_message(message, now),
                Packet::Close(code) => end.link.handle_close(code, "reset"),
            }
        }
        if end.link.poll_timeout().is_some_and(|at| at <= now) {
            end.link.handle_timeout(now);
        }
        if end.link.buffered() > 8 * 1024 * 1024 {
            return Err(format!("link {id:?} holds {} bytes", end.link.buffered()));
        }
        let owner = end.owner;
        while let Some(event) = end.link.poll_event() {
            if let Event::Closed(over) = &event
                && over.by == EndedBy::Violation
            {
                return Err(format!("honest link {id:?} was called a violator: {over:?}"));
            }
            news.push((id, owner, event));
        }
        self.transmit(id);
        Ok(())
    }

    fn transmit(&mut self, id: EndId) {
        let now = self.now;
        let mut out = std::mem::take(&mut self.out);
        loop {
            let (latency, rate, cut) = {
                let wire = &self.wires[id.0];
                (wire.latency, wire.rate, wire.cut)
            };
            let end = self.end(id);
            if end.busy_until > now || !end.alive {
                break;
            }
            match end.link.poll_transmit(&mut out, now) {
                Outcome::Idle => break,
                Outcome::Message => {
                    let took = Duration::from_micros(u64::try_from(out.len()).unwrap() / rate);
                    end.busy_until = now + took;
                    end.link.handle_flushed(now + took);
                    let message = out.to_bytes();
                    self.deliver(id, Packet::Message(message), took + latency, cut);
                }
                Outcome::Close { code, .. } => {
                    self.deliver(id, Packet::Close(code), latency, cut);
                    break;
                }
            }
        }
        self.out = out;
    }

    fn deliver(&mut self, from: EndId, packet: Packet, after: Duration, cut: bool) {
        if cut {
            return;
        }
        let jitter = self.rng.micros(0, 500);
        let at = self.now + after + jitter;
        let to = self.end(Self::peer(from));
        to.last_arrival = to.last_arrival.max(at);
        to.inbox.push_back((to.last_arrival, packet));
    }

    /// When something happens next on any wire.
    pub(crate) fn next(&self) -> Option<Instant> {
        let ends = self.wires.iter().flat_map(|wire| &wire.ends).filter(|end| end.alive);
        ends.filter_map(|end| {
            let arrival = end.inbox.front().map(|(at, _)| (*at).max(end.frozen_until));
            let writer = end.link.wants_transmit().then_some(end.busy_until);
            [arrival, writer, end.link.poll_timeout()].into_iter().flatten().min()
        })
        .min()
    }

    pub(crate) fn say(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.say(self.now, what);
    }
}
