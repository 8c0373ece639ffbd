//! What comes over the lane, what goes over it, and when.

use super::{Ending, Event, LaneEnd, Over, Poll, Role, SUPERSEDED, State, Stream, Told, Unacked, VERSION};
use super::{
    inbound::Wrong,
    record::{DATA_OVERHEAD, Record, RecordError, Welcome},
};
use crate::budget::Pressure;
use bytes::Bytes;
use postern_ids::Ended;
use std::time::{Duration, Instant};

/// Room in the lane that any record but Data fits into.
const RECORD_MAX: usize = 256;
/// A Data record is not cut to less than this because the lane has little room.
const CRUMB: usize = 1024;

/// How long a client may believe in a lane that is dead: its window begins only when it notices (a write that is stuck).
const UNNOTICED_MAX: Duration = Duration::from_secs(30);

/// Why a stream cannot go on.
struct Broken(&'static str);

impl From<RecordError> for Broken {
    fn from(_: RecordError) -> Self {
        Self("record")
    }
}

impl From<Wrong> for Broken {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Gap => Self("bytes are missing, or follow the fin"),
            Wrong::BeyondLimit => Self("more bytes than were allowed"),
        }
    }
}

impl Stream {
    /// Bytes of the lane of this generation. Those of a lane that was superseded are ignored. Read every lane to its end and
    /// give what was read back as credit at once: what the peer may send is limited by the stream, so that one direction
    /// never waits for the other.
    pub fn handle_bytes(&mut self, generation: u32, mut chunk: Bytes, now: Instant) {
        if generation != self.generation {
            return;
        }
        while !chunk.is_empty() {
            let attached = match &mut self.state {
                State::Attached(attached) => attached,
                // What still comes after the end is dropped.
                State::Over(ending) => return ending.heard(),
                State::Detached => return,
            };
            let done = match attached.parser.next(&mut chunk) {
                Ok(Some(record)) => self.on_record(record, now),
                Ok(None) => return,
                Err(error) => Err(error.into()),
            };
            if let Err(Broken(reason)) = done {
                return self.end_with(Ended::ResumeFailed.code(), reason, true, now);
            }
        }
    }

    fn on_record(&mut self, record: Record, now: Instant) -> Result<(), Broken> {
        let State::Attached(attached) = &self.state else { return Ok(()) };
        let greeted = attached.greeted;
        match (record, greeted) {
            (Record::Welcome(welcome), false) => self.on_welcome(welcome, now),
            (Record::Reject(SUPERSEDED), false) => {
                // Somebody replayed this attempt faster; the next one nobody can have seen.
                self.handle_lane_end(self.generation, LaneEnd::Detached, now);
                Ok(())
            }
            (Record::Reject(code), false) => {
                self.end_with(code, "the connector rejected the stream", false, now);
                Ok(())
            }
            (Record::Data { offset, bytes }, true) => self.on_data(offset, bytes, now),
            (Record::Ack(ack), true) => {
                self.outbound
                    .acknowledge(ack)
                    .map_err(|_| Broken("acknowledged bytes that were not sent"))?;
                self.maybe_writable();
                self.maybe_done(now);
                Ok(())
            }
            (Record::Fin(length), true) => {
                self.inbound.finish(length)?;
                // Fin is acknowledged at once: the peer may be waiting for nothing else.
                self.accepted(self.config.ack_bytes, now);
                Ok(())
            }
            (Record::End(code), true) => {
                self.end_with(code, "ended by the peer", false, now);
                Ok(())
            }
            (Record::Attach(_), _)
            | (Record::Welcome(_) | Record::Reject(_), true)
            | (Record::Data { .. } | Record::Ack(_) | Record::Fin(_) | Record::End(_), false) => {
                Err(Broken("a record in the wrong place"))
            }
        }
    }

    fn on_welcome(&mut self, welcome: Welcome, now: Instant) -> Result<(), Broken> {
        let known = self.instance != [0; 16];
        if welcome.version != VERSION
            || welcome.generation != self.generation
            || welcome.instance == [0; 16]
            || (known && welcome.instance != self.instance)
        {
            return Err(Broken("a welcome for something else"));
        }
        let State::Attached(attached) = &mut self.state else { return Ok(()) };
        attached.greeted = true;
        let ahead = attached.ahead;
        self.instance = welcome.instance;
        self.outbound
            .resume(welcome.received, ahead)
            .map_err(|_| Broken("the connector states an impossible offset"))?;
        self.attached();
        self.maybe_done(now);
        Ok(())
    }

    fn on_data(&mut self, offset: u64, bytes: Bytes, now: Instant) -> Result<(), Broken> {
        let new = self.inbound.accept(offset, bytes)?;
        if new > 0 {
            self.accepted(new, now);
        }
        if self.inbound.is_greedy() && self.config.budget.pressure() == Pressure::Critical {
            self.end_with(Ended::Limit.code(), "the streams of this process hold too much", true, now);
        }
        Ok(())
    }

    fn accepted(&mut self, bytes: usize, now: Instant) {
        let unacked = self.unacked.get_or_insert(Unacked { bytes: 0, since: now });
        unacked.bytes = unacked.bytes.saturating_add(bytes);
        if !std::mem::replace(&mut self.said.readable, true) {
            self.events.push_back(Event::Readable);
        }
    }

    pub(super) fn maybe_writable(&mut self) {
        if self.said.owes_writable && self.outbound.room() >= self.config.replay_max / 8 {
            self.said.owes_writable = false;
            self.events.push_back(Event::Writable);
        }
    }

    /// Over in good order: our Fin is acknowledged, and the peer's Fin too.
    fn maybe_done(&mut self, now: Instant) {
        if self.outbound.is_done()
            && self.inbound.is_finished()
            && self.unacked.is_none()
            && self.over().is_none()
        {
            let over = Over { code: Ended::Finished.code(), reason: "finished" };
            self.become_over(over, None, now);
        }
    }

    /// Appends records of at most `room` bytes for the newest lane to `out`, which must be written there whole.
    pub fn poll_transmit(&mut self, out: &mut Vec<Bytes>, room: usize, now: Instant) -> Poll {
        if room < RECORD_MAX {
            return Poll::Idle;
        }
        let before = out.len();
        match &mut self.state {
            State::Detached => return Poll::Idle,
            State::Over(ending) => {
                out.extend(ending.farewell.drain(..).map(|record| record.to_bytes()));
                if out.len() == before && std::mem::take(&mut ending.lane_open) {
                    return Poll::FinishLane;
                }
            }
            State::Attached(attached) => {
                let mut left = room;
                if let Some(greeting) = attached.greeting.take() {
                    left = put(out, &greeting, left);
                }
                if attached.greeted || attached.ahead {
                    self.put_flow(out, left, now);
                }
            }
        }
        if out.len() > before { Poll::Records } else { Poll::Idle }
    }

    fn put_flow(&mut self, out: &mut Vec<Bytes>, mut left: usize, now: Instant) {
        if self.ack_is_due(now) && left >= RECORD_MAX {
            left = put(out, &Record::Ack(self.inbound.ack()), left);
            self.unacked = None;
        }
        while self.outbound.has_data() && left >= DATA_OVERHEAD + CRUMB {
            left = left.saturating_sub(self.outbound.put(out, left));
        }
        if let Some(length) = self.outbound.fin()
            && left >= RECORD_MAX
        {
            put(out, &Record::Fin(length), left);
            self.outbound.fin_sent();
        }
        self.maybe_done(now);
    }

    fn ack_is_due(&self, now: Instant) -> bool {
        let greeted = matches!(&self.state, State::Attached(attached) if attached.greeted);
        let is_old_or_much = |unacked: Unacked| {
            unacked.bytes >= self.config.ack_bytes || now >= unacked.since + self.config.ack_after
        };
        greeted && (self.unacked.is_some_and(is_old_or_much) || self.inbound.owes_limit())
    }

    /// The time that `poll_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over().is_some() {
            return self.maybe_let_go(now);
        }
        if self.expires.is_some_and(|at| now >= at) {
            return self.end_with(Ended::Expired.code(), "the session expired", true, now);
        }
        if self.detached.is_some_and(|since| now >= since + self.config.window) {
            self.end_with(Ended::ResumeFailed.code(), "no lane came within the window", true, now);
        }
    }

    /// How long a stream that is over has something to do: a client tells, a connector remembers.
    fn over_until(&self, ending: &Ending) -> Option<Instant> {
        match (self.role, ending.told) {
            (Role::Client, Told::Not { until }) => Some(until),
            (Role::Connector, _) if !self.said.forget => Some(ending.at + self.config.window + UNNOTICED_MAX),
            (Role::Client, Told::OnLane | Told::Settled) | (Role::Connector, _) => None,
        }
    }

    fn maybe_let_go(&mut self, now: Instant) {
        let State::Over(ending) = &self.state else { return };
        if self.over_until(ending).is_none_or(|at| now < at) {
            return;
        }
        self.events.push_back(match self.role {
            Role::Client => Event::Detached,
            Role::Connector => Event::Forget,
        });
        self.said.forget = true;
        if let State::Over(ending) = &mut self.state {
            ending.told = Told::Settled;
        }
    }

    /// When `handle_timeout` and `poll_transmit` are to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if let State::Over(ending) = &self.state {
            return self.over_until(ending);
        }
        let ack = match &self.state {
            State::Attached(attached) if attached.greeted => {
                self.unacked.map(|unacked| unacked.since + self.config.ack_after)
            }
            State::Attached(_) | State::Detached | State::Over(_) => None,
        };
        let window = self.detached.map(|since| since + self.config.window);
        [ack, window, self.expires].into_iter().flatten().min()
    }
}

fn put(out: &mut Vec<Bytes>, record: &Record, left: usize) -> usize {
    let bytes = record.to_bytes();
    let left = left.saturating_sub(bytes.len());
    out.push(bytes);
    left
}
