//! One link: the lanes of one WebSocket connection, as a machine.
//!
//! Its methods are of four kinds. *Getters* look. *`handle_*`* take news from the transport. *Mutators* take commands
//! from above. *`poll_*`* give what is to be done: after anything else was called, poll events until there are none, then
//! transmit whenever the transport has nothing left to write, then set one timer to `poll_timeout`.

mod answers;
mod arena;
mod chunks;
mod churn;
mod commands;
mod config;
mod control;
mod drr;
mod ending;
mod events;
mod hash;
mod heartbeat;
mod lane;
mod pressure;
mod rate;
mod receive;
mod rtt;
mod schedule;
mod send;
mod window;

pub use answers::{Open, OpenError, Outcome};
pub use config::{Churn, Config, Heartbeat, Limits, Side, Versions};
pub use events::{EndedBy, Event, LinkEnd, Reset};

use crate::frame::{Hello, LaneId};
use arena::Arena;
use chunks::Chunks;
use churn::Bucket;
use control::{Command, Control};
use hash::IntMap;
use heartbeat::Pulse;
use lane::Lane;
use rate::Rate;
use rtt::Rtt;
use schedule::Schedule;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Places for events that an empty queue keeps; more go back to the allocator.
const EVENTS_KEPT: usize = 256;

/// The machine of one link.
#[derive(Debug)]
pub struct Link {
    config: Config,
    /// The peer's Hello and the version both speak, once it came.
    peer: Option<(Hello, u16)>,
    lanes: Arena<Lane>,
    by_id: IntMap<u32, u32>,
    /// The next number of a lane that we open, until they are used up.
    next_ours: Option<u32>,
    /// The only number that the peer may give its next lane.
    next_theirs: Option<u32>,
    /// Lanes of the peer that exist.
    theirs: u32,
    chunks: Chunks,
    schedule: Schedule,
    control: Control,
    /// Lanes that owe the peer a Credit.
    credits: VecDeque<u32>,
    events: VecDeque<Event>,
    bucket: Option<Bucket>,
    pulse: Pulse,
    rtt: Rtt,
    rate: Rate,
    /// Bytes held by all lanes.
    buffered: usize,
    /// Bytes that may still come for lanes that we cut.
    strays: u64,
    away: Away,
    ended: Option<LinkEnd>,
    /// The close frame is still to be sent.
    close_due: bool,
}

/// Who said GoAway.
#[derive(Debug, Clone, Copy, Default)]
struct Away {
    sent: bool,
    received: bool,
}

impl Link {
    /// A link whose transport is up; its Hello is the first message of `poll_transmit`.
    pub fn new(config: Config, now: Instant) -> Self {
        let (ours, theirs) = match config.side {
            Side::Dialer => (1, 2),
            Side::Acceptor => (2, 1),
        };
        let hello = Hello {
            version_min: config.versions.min,
            version_max: config.versions.max,
            lanes_max: config.limits.lanes_max,
            window: config.limits.window,
        };
        let mut link = Self {
            peer: None,
            lanes: Arena::default(),
            by_id: IntMap::default(),
            next_ours: Some(ours),
            next_theirs: Some(theirs),
            theirs: 0,
            chunks: Chunks::default(),
            schedule: Schedule::default(),
            control: Control::default(),
            credits: VecDeque::new(),
            events: VecDeque::new(),
            bucket: config.churn.map(|rule| Bucket::new(rule, now)),
            pulse: Pulse::new(config.heartbeat, now),
            rtt: Rtt::new(now),
            rate: Rate::default(),
            buffered: 0,
            strays: 0,
            away: Away::default(),
            ended: None,
            close_due: false,
            config,
        };
        link.command(Command::Hello(hello));
        link
    }

    /// Lanes that exist, in any state.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// The smallest round trip measured lately.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt.min()
    }

    /// The last round trip measured: what a user feels at the moment.
    pub fn last_rtt(&self) -> Option<Duration> {
        self.rtt.last()
    }

    /// Bytes held by all lanes, both directions, with what their bookkeeping costs.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// How the link ended, once it has.
    pub fn ended(&self) -> Option<&LinkEnd> {
        self.ended.as_ref()
    }

    /// Whether lanes can still be opened: established, and nobody said GoAway.
    pub fn takes_lanes(&self) -> bool {
        self.peer.is_some() && !self.away.sent && !self.away.received && self.ended.is_none()
    }

    /// Whether `poll_transmit` would have a message or a close; cheap, for a driver that decides whether to wake its writer.
    pub fn wants_transmit(&self) -> bool {
        self.close_due || !self.control.is_empty() || !self.credits.is_empty() || !self.schedule.is_empty()
    }

    /// Bytes of control frames that wait to be sent; with more than 4 MiB of them the link is cut off.
    pub fn control_waiting(&self) -> usize {
        self.control.weight()
    }

    /// Bytes that `write` would take for this lane.
    pub fn writable(&self, lane: LaneId) -> usize {
        let Some(lane) = self.find(lane).and_then(|index| self.lanes.get(index)) else { return 0 };
        if lane.phase != lane::Phase::Open || lane.sending != lane::Sending::Open {
            return 0;
        }
        self.room(lane)
    }

    /// The next news. Drain it after every `handle_message`: the queue is bounded by what one message can cause.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > EVENTS_KEPT {
            self.events = VecDeque::new();
        }
        event
    }

    /// When `handle_timeout` is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ended.is_none().then(|| self.pulse.deadline(self.peer.is_some()))
    }

    fn find(&self, lane: LaneId) -> Option<u32> {
        self.by_id.get(&lane.0).copied()
    }

    /// Queues a control frame; a peer that lets too many wait is cut off.
    fn command(&mut self, command: Command) {
        if !self.control.push(command) {
            self.violation(postern_ids::Ended::Limit.code(), "control frames are not read");
        }
    }

    /// Runs `act` on a lane and keeps the count of buffered bytes true.
    fn with<R>(&mut self, index: u32, act: impl FnOnce(&mut Lane, &mut Chunks) -> R) -> Option<R> {
        let lane = self.lanes.get_mut(index)?;
        let before = lane.cost();
        let result = act(lane, &mut self.chunks);
        let after = lane.cost();
        self.recount(before, after);
        Some(result)
    }

    fn recount(&mut self, before: usize, after: usize) {
        if let Some(more) = after.checked_sub(before) {
            self.buffered += more;
            self.config.budget.add(more);
        } else {
            self.buffered -= before - after;
            self.config.budget.sub(before - after);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.config.budget.sub(self.buffered);
    }
}
