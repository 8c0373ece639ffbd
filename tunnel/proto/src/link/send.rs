//! What goes out next.

use super::{
    EndedBy, Event, Link, Outcome,
    arena::NONE,
    heartbeat::Finding,
    lane::{Phase, Receiving, Sending},
};
use crate::frame::{HEADER_LEN, Kind, LaneId, MESSAGE_MAX, PAYLOAD_MAX, Transmit};
use postern_ids::Refusal;
use std::time::Instant;

/// Small frames that may ride in front of a full chunk without cutting it.
const SLACK: usize = 2 * 1024;
/// Control frames fill a message up to here.
const CONTROL_TARGET: usize = 64 * 1024;
/// Less room than this is not worth asking who might use it.
const CRUMB: usize = 1024;

impl Link {
    /// The next message to send. Call it only when the transport has nothing left to write: what goes next is chosen here.
    pub fn poll_transmit(&mut self, out: &mut Transmit, now: Instant) -> Outcome {
        out.clear();
        self.put_control(out, now);
        if self.ended.is_none() && self.peer.is_some() {
            self.put_credits(out);
            self.put_data(out);
        }
        if !out.is_empty() {
            self.rate.start(out.len(), now);
            self.pulse.writing(now);
            return Outcome::Message;
        }
        match &self.ended {
            Some(end) if self.close_due => {
                self.close_due = false;
                Outcome::Close { code: end.code, reason: end.reason.clone() }
            }
            Some(_) | None => Outcome::Idle,
        }
    }

    /// The transport took the last message whole. Call it before `poll_transmit` is asked for the next one.
    pub fn handle_flushed(&mut self, now: Instant) {
        self.pulse.written();
        self.rate.flushed(now);
    }

    /// The transport took some bytes of the last message, but not all: the write is not stuck.
    pub fn handle_progress(&mut self, now: Instant) {
        self.pulse.progress(now);
    }

    /// The time that `poll_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        match self.pulse.check(self.peer.is_some(), now) {
            Finding::Fine => {}
            Finding::Ping => self.control.ping = true,
            Finding::NoHello => {
                self.end(EndedBy::Timeout, Refusal::Timeout.code(), "no hello came".into(), true);
            }
            Finding::Silent => self.dead("the peer is silent"),
            Finding::Stuck => self.dead("the peer does not read"),
        }
    }

    fn put_control(&mut self, out: &mut Transmit, now: Instant) {
        while out.len() < CONTROL_TARGET && self.control.put_next(out, MESSAGE_MAX) {}
        if let Some(token) = self.control.pong.take() {
            out.token(Kind::Pong, token);
        }
        if std::mem::take(&mut self.control.ping) {
            let token = self.rtt.ping(now);
            out.token(Kind::Ping, token);
        }
    }

    fn put_credits(&mut self, out: &mut Transmit) {
        let pressed = self.is_pressed();
        while out.len() < CONTROL_TARGET {
            let Some(index) = self.credits.pop_front() else { return };
            // The place may belong to another lane by now, which has asked for itself or has not.
            let Some(lane) = self.lanes.get_mut(index).filter(|lane| lane.said.credit_queued) else {
                continue;
            };
            lane.said.credit_queued = false;
            let bytes = lane.window.grant(pressed);
            if bytes > 0 && lane.receiving == Receiving::Open {
                lane.window.granted(bytes);
                out.credit(lane.id, bytes);
            }
        }
    }

    /// Fills the message up to one chunk, and with what is small enough to ride along. Bulk is not cut to fill the rest:
    /// a crumb behind each chunk costs the far end a system call, and shifts every later chunk against its buffer.
    fn put_data(&mut self, out: &mut Transmit) {
        let chunk = self.rate.chunk();
        let quantum = i64::try_from(chunk).unwrap_or(i64::MAX);
        let full = chunk + SLACK;
        loop {
            let room = full.saturating_sub(out.len()).saturating_sub(2 * HEADER_LEN);
            if !out.is_empty() && room < CRUMB {
                return;
            }
            let Some((ticket, index)) = self.schedule.next(quantum) else { return };
            let would_be_cut = self.sendable(index).min(chunk) > room;
            if !out.is_empty() && would_be_cut && room < chunk / 2 {
                return;
            }
            let sent = self.put_lane(index, out, chunk.min(room));
            let more = self.lanes.get(index).is_some_and(|lane| lane.has_work());
            let ticket = self.schedule.served(ticket, sent, more);
            if let Some(lane) = self.lanes.get_mut(index) {
                lane.ticket = ticket;
            }
            self.after_sending(index);
        }
    }

    fn sendable(&self, index: u32) -> usize {
        let lane = self.lanes.get(index);
        lane.map_or(0, |lane| usize::try_from(lane.credit.min(lane.outbox.bytes)).unwrap_or(usize::MAX))
    }

    /// Sends up to `max` bytes of a lane, and its Fin when that is due. Says how many bytes that took.
    fn put_lane(&mut self, index: u32, out: &mut Transmit, max: usize) -> usize {
        let before = out.len();
        self.with(index, |lane, chunks| {
            let credit = usize::try_from(lane.credit).unwrap_or(usize::MAX);
            let queued = usize::try_from(lane.outbox.bytes).unwrap_or(usize::MAX);
            let len = max.min(PAYLOAD_MAX).min(credit).min(queued);
            if len > 0 {
                out.header(Kind::Data, 0, lane.id, len);
                lane.credit -= u32::try_from(len).unwrap_or(0);
            }
            let mut left = len;
            while left > 0 {
                let Some(bytes) = chunks.pop(&mut lane.outbox, left) else { break };
                left -= bytes.len();
                out.put_bytes(bytes);
            }
            if lane.sending == Sending::Finishing && lane.outbox.is_empty() {
                out.fin(lane.id);
                lane.sending = Sending::Finished;
            }
        });
        out.len() - before
    }

    fn after_sending(&mut self, index: u32) {
        let Some(lane) = self.lanes.get(index) else { return };
        if lane.said.owes_writable && self.has_room_again(lane) {
            let id = lane.id;
            self.with(index, |lane, _| lane.said.owes_writable = false);
            self.events.push_back(Event::Writable(id));
        }
        self.end_if_done(index);
    }

    /// Enters a lane into the schedule when it has something to send and is not there yet.
    pub(super) fn enter_schedule(&mut self, index: u32) {
        let quantum = i64::try_from(self.rate.chunk()).unwrap_or(i64::MAX);
        let Some(lane) = self.lanes.get_mut(index) else { return };
        if lane.ticket == NONE && lane.phase == Phase::Open && lane.has_work() {
            lane.ticket = self.schedule.enter(lane.flow, index, quantum);
        }
    }

    pub(super) fn refuse_at_limit(&mut self, lane: LaneId, limit: &'static str) {
        self.send_refusal(lane, Refusal::Limit.code(), limit.as_bytes());
        self.events.push_back(Event::LimitHit(limit));
    }
}
