//! How a stream comes to a lane, leaves it, and ends.

use super::record::{Parser, Record, Welcome};
use super::{Attach, Attached, Ending, Event, LaneEnd, Over, Role, State, Stream, Told, VERSION};
use postern_ids::Ended;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const FINISHED: u16 = Ended::Finished.code();
/// How long a client that has everything tries to say so. Somebody may wait for its process to end.
const TELL_MAX: Duration = Duration::from_secs(10);

impl Stream {
    /// Client: starts an attempt on a new lane, whose generation it gives. `sign` makes the proof.
    /// `None` when the stream wants no lane, or ran out of generations.
    pub fn attach(&mut self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Option<u32> {
        if !self.wants_lane() {
            return None;
        }
        self.generation = self.generation.checked_add(1)?;
        let welcomed = self.is_welcomed();
        let mut attach = Attach {
            version_min: VERSION,
            version_max: VERSION,
            resume_only: welcomed,
            stream: self.id,
            key: self.key,
            generation: self.generation,
            received: self.inbound.received(),
            instance: self.instance,
            proof: [0; 64],
        };
        attach.proof = sign(&attach.proof_message());
        let greeting = Record::Attach(Box::new(attach));
        if let State::Over(ending) = &mut self.state {
            // Its offset says everything; any answer says that it was heard.
            ending.farewell = VecDeque::from([greeting]);
            return Some(self.generation);
        }
        let parser = Parser::default();
        self.change_lane(Attached { parser, greeting: Some(greeting), greeted: false, ahead: !welcomed });
        self.outbound.restart();
        Some(self.generation)
    }

    /// Connector: another lane of the client. The caller has compared key and session and verified the proof. An error is
    /// the code for [`super::Intake::reject`]; the stream is as it was, unless the offset was impossible.
    pub fn take_over(&mut self, attach: &Attach, now: Instant) -> Result<(), u16> {
        let foreign = attach.resume_only && attach.instance != self.instance;
        if foreign || !attach.has_our_version() || attach.stream != self.id {
            return Err(Ended::ResumeFailed.code());
        }
        if attach.key != self.key {
            return Err(PROOF_FAILED);
        }
        if attach.generation <= self.generation {
            return Err(SUPERSEDED);
        }
        if let State::Over(ending) = &self.state {
            if ending.over.code != Ended::Finished.code() {
                return Err(ending.over.code);
            }
        } else if self.outbound.resume(attach.received, false).is_err() {
            self.end_with(Ended::ResumeFailed.code(), "the client states an impossible offset", true, now);
            return Err(Ended::ResumeFailed.code());
        }
        self.generation = attach.generation;
        let received = self.inbound.received();
        let welcome =
            Welcome { version: VERSION, generation: self.generation, received, instance: self.instance };
        let welcome = Record::Welcome(welcome);
        if let State::Over(ending) = &mut self.state {
            // The client missed our last Ack: it learns that everything arrived.
            ending.farewell = VecDeque::from([welcome, Record::Ack(self.inbound.ack())]);
            ending.lane_open = true;
            return Ok(());
        }
        let parser = Parser::default();
        self.change_lane(Attached { parser, greeting: Some(welcome), greeted: true, ahead: false });
        self.attached();
        Ok(())
    }

    fn change_lane(&mut self, attached: Attached) {
        // The connector's limit goes with its Welcome; the client's waits for bytes that need one.
        self.inbound.change_lane(self.role == Role::Connector);
        // The greeting states what was accepted.
        self.unacked = None;
        self.state = State::Attached(attached);
    }

    pub(super) fn attached(&mut self) {
        self.detached = None;
        self.events.push_back(Event::Attached { generation: self.generation });
        self.maybe_writable();
    }

    /// The lane of this generation is over. Nothing happens when a newer one carries the stream.
    pub fn handle_lane_end(&mut self, generation: u32, end: LaneEnd, now: Instant) {
        if generation != self.generation {
            return;
        }
        match (&mut self.state, end) {
            (State::Over(ending), end) => ending.lane_over(end, now),
            (State::Detached | State::Attached(_), LaneEnd::Ended(code)) => {
                self.end_with(code, "the lane was ended", false, now);
            }
            (State::Attached(_), LaneEnd::Detached) => {
                self.state = State::Detached;
                self.detached.get_or_insert(now);
                self.events.push_back(Event::Detached);
            }
            (State::Detached, LaneEnd::Detached) => {}
        }
    }

    /// Over, loudly: what waits is dropped.
    pub(super) fn end_with(&mut self, code: u16, reason: &'static str, tell: bool, now: Instant) {
        if self.over().is_some() {
            return;
        }
        let code = match code {
            // Our last Ack did not come, but whoever knows says that it would have.
            FINISHED if self.inbound.is_finished() && self.outbound.is_finished() => {
                return self.become_over(Over { code, reason: "finished" }, None, now);
            }
            // Without both Fins it would hide that bytes are missing.
            FINISHED => Ended::ResumeFailed.code(),
            _ => code,
        };
        self.inbound.clear();
        self.become_over(Over { code, reason }, tell.then_some(Record::End(code)), now);
    }

    pub(super) fn become_over(&mut self, over: Over, farewell: Option<Record>, now: Instant) {
        // A greeting that was not sent goes first: the peer must see one before anything else.
        let (greeting, lane_open) = match &mut self.state {
            State::Attached(attached) => (attached.greeting.take(), true),
            State::Detached | State::Over(_) => (None, false),
        };
        let farewell = greeting.into_iter().chain(farewell).filter(|_| lane_open).collect();
        let is_client_done = self.role == Role::Client && over.code == FINISHED && lane_open;
        let told = if is_client_done { Told::OnLane } else { Told::Settled };
        self.outbound.clear();
        self.unacked = None;
        self.detached = None;
        self.state = State::Over(Ending { over, at: now, farewell, lane_open, told });
        self.events.push_back(Event::Over(over));
    }
}

impl Ending {
    fn lane_over(&mut self, end: LaneEnd, now: Instant) {
        self.lane_open = false;
        self.told = match (self.told, end) {
            (Told::Settled, _) | (_, LaneEnd::Ended(_)) => Told::Settled,
            (Told::OnLane, LaneEnd::Detached) => Told::Not { until: now + TELL_MAX },
            (Told::Not { until }, LaneEnd::Detached) => Told::Not { until },
        };
    }

    /// The peer answers on the last lane.
    pub(super) fn heard(&mut self) {
        if let Told::Not { .. } = self.told {
            (self.told, self.lane_open) = (Told::Settled, true);
        }
    }
}

/// The code of an Attach whose proof, key or session is wrong.
pub const PROOF_FAILED: u16 = 4411;
/// The code of an Attach whose generation was used already. Not final: a replay must not be able to end a stream.
pub const SUPERSEDED: u16 = 4409;
