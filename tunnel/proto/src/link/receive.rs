//! What a frame of the peer does, and what the peer must not do.

use super::{
    Event, Link, Reset,
    churn::Verdict,
    ending::{FLOW_CONTROL, PROTOCOL, TOO_BIG},
    lane::{Lane, Phase, Receiving},
};
use crate::{
    frame::{self, CREDIT_MAX, Frame, Hello, LaneId, MESSAGE_MAX},
    inventory,
};
use bytes::Bytes;
use postern_ids::{Ended, Refusal};
use std::{borrow::Cow, time::Instant};

/// Payloads below this are copied, so that they do not keep a read buffer alive.
const COPY_BELOW: usize = 4 * 1024;
/// A payload must be at least this part of its message to be kept as a slice of it.
const MESSAGE_SHARE: usize = 4;

/// The peer broke a rule: the close code and the reason it is told.
#[derive(Debug)]
struct Violation(u16, Cow<'static, str>);

fn protocol(reason: &'static str) -> Violation {
    Violation(PROTOCOL, reason.into())
}

fn flow_control(reason: &'static str) -> Violation {
    Violation(FLOW_CONTROL, reason.into())
}

impl Link {
    /// One binary message came. Its payloads are handed on as slices of it, so its allocation should not be much larger
    /// than the message itself.
    pub fn handle_message(&mut self, message: Bytes, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.handle_heard(now);
        if message.is_empty() {
            return self.violation(PROTOCOL, "frame: empty message");
        }
        if message.len() > MESSAGE_MAX {
            return self.violation(TOO_BIG, "message too big");
        }
        let len = message.len();
        for frame in frame::frames(message) {
            let done = frame
                .map_err(|error| Violation(PROTOCOL, error.to_string().into()))
                .and_then(|frame| self.receive(frame, len, now));
            if let Err(Violation(code, reason)) = done {
                return self.violation(code, reason);
            }
        }
    }

    /// Some bytes of any kind came, possibly not a whole message: the peer is alive.
    pub fn handle_heard(&mut self, now: Instant) {
        self.pulse.heard(now);
    }

    fn receive(&mut self, frame: Frame, message_len: usize, now: Instant) -> Result<(), Violation> {
        if self.peer.is_none() {
            let Frame::Hello(hello) = frame else { return Err(protocol("hello: another frame came first")) };
            return self.on_hello(hello);
        }
        match frame {
            Frame::Hello(_) => return Err(protocol("hello: came twice")),
            Frame::Open { lane, flow, metadata, early } => {
                let (metadata, early) = (keepable(metadata, message_len), keepable(early, message_len));
                return self.on_open(lane, flow, metadata, early, now);
            }
            Frame::Opened { lane, metadata } => {
                return self.on_opened(lane, keepable(metadata, message_len));
            }
            Frame::Refused { lane, code, detail } => {
                return self.on_refused(lane, code, keepable(detail, message_len));
            }
            Frame::Data { lane, payload } => return self.on_data(lane, payload, message_len),
            Frame::Credit { lane, bytes } => return self.on_credit(lane, bytes),
            Frame::Fin { lane } => return self.on_fin(lane),
            Frame::Reset { lane, code, class } => return self.on_reset(lane, Reset { code, class }),
            Frame::Ping(token) => self.control.pong = Some(token),
            Frame::Pong(token) => self.rtt.pong(token, now),
            Frame::GoAway { code, hint } => {
                self.away.received = true;
                self.events.push_back(Event::GoAway { code, hint: frame::text(&hint) });
            }
            Frame::Inventory { entries, last } => {
                if inventory::entries(entries.clone()).any(|entry| entry.is_err()) {
                    return Err(protocol("frame: malformed inventory"));
                }
                let entries = keepable(entries, message_len);
                self.events.push_back(Event::Inventory { entries, last });
            }
            Frame::Kill { session, code } => self.events.push_back(Event::Kill { session, code }),
            Frame::Keys(keys) => self.events.push_back(Event::Keys(keepable(keys, message_len))),
        }
        Ok(())
    }

    fn on_hello(&mut self, hello: Hello) -> Result<(), Violation> {
        let version = self.config.versions.max.min(hello.version_max);
        if version < self.config.versions.min.max(hello.version_min) {
            return Err(protocol("hello: no common version"));
        }
        self.peer = Some((hello, version));
        // On an idle link: the distance without any queue.
        self.control.ping = true;
        self.events.push_back(Event::Established { version });
        Ok(())
    }

    /// The lane with this number; `None` when it is gone, an error when it never was.
    fn lane_of(&self, lane: LaneId) -> Result<Option<u32>, Violation> {
        let next = if self.is_theirs(lane) { self.next_theirs } else { self.next_ours };
        if next.is_some_and(|next| lane.0 >= next) {
            return Err(protocol("lane: never opened"));
        }
        Ok(self.find(lane))
    }

    fn on_open(
        &mut self,
        id: LaneId,
        flow: u64,
        metadata: Bytes,
        early: Bytes,
        now: Instant,
    ) -> Result<(), Violation> {
        if self.next_theirs != Some(id.0) {
            return Err(protocol("open: wrong lane number"));
        }
        self.next_theirs = id.0.checked_add(2);
        match self.bucket.as_mut().map_or(Verdict::Admit, |bucket| bucket.take(now)) {
            Verdict::Admit => {}
            Verdict::Refuse => {
                self.refuse_at_limit(id, "lanes opened per second");
                return Ok(());
            }
            Verdict::Close => {
                return Err(Violation(Ended::Limit.code(), "too many lanes opened per second".into()));
            }
        }
        if self.away.sent {
            self.send_refusal(id, Refusal::Draining.code(), b"");
            return Ok(());
        }
        if self.theirs >= self.config.limits.lanes_max {
            self.refuse_at_limit(id, "lanes open at once");
            return Ok(());
        }
        let Some((peer, _)) = self.peer else { return Ok(()) };
        let held = u32::try_from(metadata.len() + early.len()).unwrap_or(u32::MAX);
        let phase = Phase::Offered { held };
        self.insert(Lane::new(id, flow, phase, self.config.limits.window, peer.window));
        self.events.push_back(Event::Incoming { lane: id, flow, metadata, early });
        self.relieve();
        Ok(())
    }

    fn on_opened(&mut self, id: LaneId, metadata: Bytes) -> Result<(), Violation> {
        if self.is_theirs(id) {
            return Err(protocol("opened: not our lane"));
        }
        let Some(index) = self.lane_of(id)? else { return Ok(()) };
        let Some(lane) = self.lanes.get_mut(index).filter(|lane| lane.phase == Phase::Opening) else {
            return Err(protocol("opened: twice"));
        };
        lane.phase = Phase::Open;
        self.events.push_back(Event::Opened { lane: id, metadata });
        Ok(())
    }

    fn on_refused(&mut self, id: LaneId, code: u16, detail: Bytes) -> Result<(), Violation> {
        if self.is_theirs(id) {
            return Err(protocol("refused: not our lane"));
        }
        let Some(index) = self.lane_of(id)? else { return Ok(()) };
        if self.lanes.get(index).is_none_or(|lane| lane.phase != Phase::Opening) {
            return Err(protocol("refused: lane is open"));
        }
        self.remove(index);
        self.events.push_back(Event::Refused { lane: id, code, detail });
        Ok(())
    }

    fn on_data(&mut self, id: LaneId, payload: Bytes, message_len: usize) -> Result<(), Violation> {
        let Some(index) = self.lane_of(id)? else { return self.stray(payload.len()) };
        let payload = keepable(payload, message_len);
        let received = self.with(index, |lane, chunks| {
            if lane.phase != Phase::Open {
                return Err(flow_control("data: before the lane was opened"));
            }
            if lane.receiving != Receiving::Open {
                return Err(flow_control("data: after fin"));
            }
            if !lane.window.receive(u32::try_from(payload.len()).unwrap_or(u32::MAX)) {
                return Err(flow_control("data: more than granted"));
            }
            chunks.push(&mut lane.inbox, payload);
            Ok(())
        });
        received.unwrap_or(Ok(()))?;
        self.say_readable(index);
        self.relieve();
        Ok(())
    }

    /// Data for a lane that is gone: it may only be what was on its way when we cut the lane.
    fn stray(&mut self, len: usize) -> Result<(), Violation> {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.strays = self.strays.checked_sub(len).ok_or(flow_control("data: on a lane that is over"))?;
        Ok(())
    }

    fn on_credit(&mut self, id: LaneId, bytes: u32) -> Result<(), Violation> {
        let Some(index) = self.lane_of(id)? else { return Ok(()) };
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        if lane.phase != Phase::Open {
            return Err(protocol("credit: before the lane was opened"));
        }
        lane.credit = lane
            .credit
            .checked_add(bytes)
            .filter(|&credit| credit <= CREDIT_MAX)
            .ok_or(flow_control("credit: window overflow"))?;
        self.enter_schedule(index);
        Ok(())
    }

    fn on_fin(&mut self, id: LaneId) -> Result<(), Violation> {
        let Some(index) = self.lane_of(id)? else { return Ok(()) };
        let Some(lane) = self.lanes.get_mut(index) else { return Ok(()) };
        if lane.phase != Phase::Open || lane.receiving != Receiving::Open {
            return Err(flow_control("fin: twice, or before the lane was opened"));
        }
        lane.receiving = Receiving::Finished;
        self.say_readable(index);
        Ok(())
    }

    fn on_reset(&mut self, id: LaneId, reset: Reset) -> Result<(), Violation> {
        let Some(index) = self.lane_of(id)? else { return Ok(()) };
        self.remove(index);
        self.events.push_back(Event::Reset { lane: id, reset });
        Ok(())
    }

    fn say_readable(&mut self, index: u32) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        if !std::mem::replace(&mut lane.said.readable, true) {
            self.events.push_back(Event::Readable(lane.id));
        }
    }
}

/// The payload as it may be kept: a slice of its message only when it is a large part of it.
fn keepable(payload: Bytes, message_len: usize) -> Bytes {
    let small = payload.len() < COPY_BELOW || payload.len().saturating_mul(MESSAGE_SHARE) < message_len;
    if small { Bytes::copy_from_slice(&payload) } else { payload }
}
