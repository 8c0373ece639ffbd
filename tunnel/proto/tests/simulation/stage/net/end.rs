//! One end of a wire: its link, what is on its way to it, and whether anything reaches it.

use super::{Node, Packet};
use postern_tunnel_proto::{Config, EndedBy, Event, Link, Side};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Bytes that a link may hold here: far more than the lanes of a run need, so that reaching it is an error.
const BUFFERED_MAX: usize = 8 * 1024 * 1024;
/// Bytes of control frames that may wait (`docs/protocol.md`, 6).
const CONTROL_MAX: usize = 4 * 1024 * 1024;

pub(super) struct End {
    pub(super) link: Link,
    pub(super) node: Node,
    /// Its process is there and has not dropped it.
    pub(super) alive: bool,
    /// Nothing arrives any more, and nobody says so.
    pub(super) deaf: bool,
    pub(super) inbox: VecDeque<(Instant, Packet)>,
    pub(super) busy_until: Instant,
    pub(super) last_arrival: Instant,
    /// Nothing arrives before this, and then all of it.
    pub(super) frozen_until: Instant,
}

impl End {
    pub(super) fn new(side: Side, node: Node, now: Instant) -> Self {
        let mut config = Config::new(side);
        (config.limits.window, config.limits.send_buffer) = (65_536, 32_768);
        config.limits.buffered_max = 2 * BUFFERED_MAX;
        Self {
            link: Link::new(config, now),
            node,
            alive: true,
            deaf: false,
            inbox: VecDeque::new(),
            busy_until: now,
            last_arrival: now,
            frozen_until: now,
        }
    }

    /// Nothing will happen here any more.
    pub(super) fn is_over(&self) -> bool {
        !self.alive || (self.link.ended().is_some() && !self.link.wants_transmit())
    }

    /// Takes what is due and says what the link made of it.
    pub(super) fn hear(&mut self, peer: Node, now: Instant) -> Result<Vec<Event>, String> {
        let frozen = self.frozen_until > now;
        while let Some((_, packet)) = self.inbox.pop_front_if(|(at, _)| !frozen && *at <= now) {
            match packet {
                Packet::Message(message) => self.link.handle_message(message, now),
                Packet::Close(code) => self.link.handle_close(code, "reset"),
            }
        }
        if self.link.poll_timeout().is_some_and(|at| at <= now) {
            self.link.handle_timeout(now);
        }
        self.check_bounds()?;
        let mut events = vec![];
        while let Some(event) = self.link.poll_event() {
            if let Event::Closed(over) = &event
                && over.by == EndedBy::Violation
                && !peer.is_hostile()
            {
                return Err(format!("D12: {:?} calls the honest {peer:?} a violator: {over:?}", self.node));
            }
            events.push(event);
        }
        Ok(events)
    }

    fn check_bounds(&self) -> Result<(), String> {
        let (held, waiting) = (self.link.buffered(), self.link.control_waiting());
        if held > BUFFERED_MAX || waiting > CONTROL_MAX {
            return Err(format!(
                "D13: a link of {:?} holds {held} bytes and {waiting} of control",
                self.node
            ));
        }
        Ok(())
    }

    /// When something happens here next.
    pub(super) fn next(&self) -> Option<Instant> {
        let arrival = self.inbox.front().map(|(at, _)| (*at).max(self.frozen_until));
        let writer = self.link.wants_transmit().then_some(self.busy_until);
        [arrival, writer, self.link.poll_timeout()].into_iter().flatten().min()
    }

    /// A message of `len` bytes is being written at this many bytes a microsecond.
    pub(super) fn write(&mut self, len: usize, rate: u64, now: Instant) -> Duration {
        let took = Duration::from_micros(u64::try_from(len).unwrap() / rate);
        self.busy_until = now + took;
        self.link.handle_flushed(now + took);
        took
    }
}
