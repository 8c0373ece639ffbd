//! What the layer above asks a link to do.

use super::{
    Link, Open, OpenError, Reset,
    control::Command,
    lane::{Lane, Phase, Receiving, Sending},
};
use crate::{
    frame::{EARLY_MAX, LaneId, METADATA_MAX, PAYLOAD_MAX, TEXT_MAX},
    io::{LaneGone, Read, WriteError},
};
use bytes::Bytes;
use postern_ids::{Ended, SessionId};
use std::time::{Duration, Instant};

/// A round trip that is older than this is measured again when a window could grow.
const RTT_AGE: Duration = Duration::from_secs(1);

impl Link {
    /// Opens a lane; `Opened` or `Refused` answers.
    pub fn open(&mut self, open: Open) -> Result<LaneId, OpenError> {
        if self.ended.is_some() {
            return Err(OpenError::Closed);
        }
        let Some((peer, _)) = self.peer else { return Err(OpenError::NotEstablished) };
        if open.metadata.len() > METADATA_MAX || open.early.len() > EARLY_MAX {
            return Err(OpenError::TooLong);
        }
        let ours = self.lanes.len().saturating_sub(usize::try_from(self.theirs).unwrap_or(usize::MAX));
        if usize::try_from(peer.lanes_max).is_ok_and(|max| ours >= max) {
            return Err(OpenError::LanesMax);
        }
        let number =
            self.next_ours.filter(|_| !self.away.sent && !self.away.received).ok_or(OpenError::GoingAway)?;
        self.next_ours = number.checked_add(2);
        let id = LaneId(number);
        let Open { flow, metadata, early } = open;
        self.insert(Lane::new(id, flow, Phase::Opening, self.config.limits.window, peer.window));
        self.command(Command::Open { lane: id, flow, metadata, early });
        Ok(id)
    }

    /// Accepts an `Incoming` lane. Metadata beyond 16 KiB is a mistake of the caller and is cut off.
    pub fn accept(&mut self, lane: LaneId, mut metadata: Bytes) -> Result<(), LaneGone> {
        let index = self.find(lane).ok_or(LaneGone)?;
        let accepted = self.with(index, |lane, _| {
            let offered = matches!(lane.phase, Phase::Offered { .. });
            if offered {
                lane.phase = Phase::Open;
            }
            offered
        });
        if accepted != Some(true) {
            return Err(LaneGone);
        }
        metadata.truncate(METADATA_MAX);
        self.command(Command::Opened { lane, metadata });
        Ok(())
    }

    /// Refuses an `Incoming` lane. Detail beyond 256 bytes is cut off.
    pub fn refuse(&mut self, lane: LaneId, code: u16, detail: &[u8]) {
        let Some(index) = self.find(lane) else { return };
        if !self.lanes.get(index).is_some_and(|lane| matches!(lane.phase, Phase::Offered { .. })) {
            return;
        }
        self.remove(index);
        self.send_refusal(lane, code, detail);
    }

    pub(super) fn send_refusal(&mut self, lane: LaneId, code: u16, detail: &[u8]) {
        let detail = detail.get(..TEXT_MAX).unwrap_or(detail);
        self.command(Command::Refused { lane, code, detail: Bytes::copy_from_slice(detail) });
    }

    /// Takes bytes for sending from the front of `bytes` and says how many; less than all means: wait for `Writable`.
    pub fn write(&mut self, lane: LaneId, bytes: &mut Bytes) -> Result<usize, WriteError> {
        let index = self.find(lane).ok_or(WriteError::Gone)?;
        let lane = self.lanes.get(index).ok_or(WriteError::Gone)?;
        if lane.phase != Phase::Open || lane.sending != Sending::Open {
            return Err(WriteError::NotWritable);
        }
        let taken = self.room(lane).min(bytes.len());
        let all = taken == bytes.len();
        let front = bytes.split_to(taken);
        self.queue(index, front, !all);
        Ok(taken)
    }

    /// Takes all of `bytes`, whatever room there is: for a writer that looked at `writable`, and whose records are worth
    /// nothing in parts. How many pieces a record has may be more than there was room for.
    pub fn write_whole(&mut self, lane: LaneId, bytes: Bytes) -> Result<(), WriteError> {
        let index = self.find(lane).ok_or(WriteError::Gone)?;
        let lane = self.lanes.get(index).ok_or(WriteError::Gone)?;
        if lane.phase != Phase::Open || lane.sending != Sending::Open {
            return Err(WriteError::NotWritable);
        }
        self.queue(index, bytes, false);
        Ok(())
    }

    fn queue(&mut self, index: u32, bytes: Bytes, owes_writable: bool) {
        self.with(index, |lane, chunks| {
            if !bytes.is_empty() {
                chunks.push(&mut lane.outbox, bytes);
            }
            lane.said.owes_writable |= owes_writable;
        });
        self.enter_schedule(index);
        self.relieve();
    }

    /// Asks for `Writable` when the lane takes bytes again: for a writer that looked at `writable` and found too little.
    pub fn want_write(&mut self, lane: LaneId) {
        if let Some(lane) = self.find(lane).and_then(|index| self.lanes.get_mut(index)) {
            lane.said.owes_writable = true;
        }
    }

    /// Ends our direction after what was written; the other goes on.
    pub fn finish(&mut self, lane: LaneId) -> Result<(), LaneGone> {
        let index = self.find(lane).ok_or(LaneGone)?;
        let lane = self.lanes.get_mut(index).filter(|lane| lane.phase == Phase::Open).ok_or(LaneGone)?;
        if lane.sending == Sending::Open {
            lane.sending = Sending::Finishing;
        }
        self.enter_schedule(index);
        Ok(())
    }

    /// Cuts a lane at once, in any state. Nothing is sent when both directions are over already.
    pub fn reset(&mut self, lane: LaneId, reset: Reset) {
        let Some(index) = self.find(lane) else { return };
        let Some(lane) = self.lanes.get(index) else { return };
        let over = lane.sending == Sending::Finished && lane.receiving != Receiving::Open;
        let id = lane.id;
        if !over {
            // What the peer was granted may be on its way.
            self.strays = self.strays.saturating_add(u64::from(lane.window.allowance()));
        }
        self.remove(index);
        if !over {
            self.command(Command::Reset { lane: id, reset });
        }
    }

    /// The application lets go of a lane. One that it finished in both directions still sends what was written; any other
    /// is cut.
    pub fn release(&mut self, lane: LaneId, reset: Reset) {
        let is_over = |lane: &Lane| lane.sending != Sending::Open && lane.receiving == Receiving::Ended;
        if !self.find(lane).and_then(|index| self.lanes.get(index)).is_some_and(is_over) {
            self.reset(lane, reset);
        }
    }

    /// The next received bytes of a lane, at most `max`; ask until `Blocked`, only then `Readable` is said again.
    /// What was read counts against the window until `consume`.
    pub fn read(&mut self, lane: LaneId, max: usize) -> Result<Read, LaneGone> {
        let index = self.find(lane).ok_or(LaneGone)?;
        let chunk = self.with(index, |lane, chunks| chunks.pop(&mut lane.inbox, max)).ok_or(LaneGone)?;
        if let Some(chunk) = chunk {
            return Ok(Read::Chunk(chunk));
        }
        let lane = self.lanes.get_mut(index).ok_or(LaneGone)?;
        if lane.receiving == Receiving::Open {
            lane.said.readable = false;
            return Ok(Read::Blocked);
        }
        lane.receiving = Receiving::Ended;
        self.end_if_done(index);
        Ok(Read::Finished)
    }

    /// The application is done with `bytes` that it read: they go back to the peer as credit.
    pub fn consume(&mut self, lane: LaneId, bytes: usize, now: Instant) {
        let Some(index) = self.find(lane) else { return };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let (rtt, limits) = (self.rtt.min(), self.config.limits);
        let pressed = self.is_pressed();
        let measured = self.with(index, |lane, _| {
            lane.window.consume(bytes, now);
            let measured = lane.window.is_measured();
            if let Some(rtt) = rtt.filter(|_| measured && !pressed) {
                lane.window.grow(rtt, &limits, now);
            }
            measured
        });
        if measured == Some(true) && self.rtt.is_older_than(RTT_AGE, now) {
            self.control.ping = true;
        }
        self.offer_credit(index);
    }

    /// Queues a Credit for a lane when it is worth one.
    fn offer_credit(&mut self, index: u32) {
        let pressed = self.is_pressed();
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let wanted = lane.receiving == Receiving::Open && lane.phase == Phase::Open;
        if wanted && !lane.said.credit_queued && lane.window.grant(pressed) > 0 {
            lane.said.credit_queued = true;
            self.credits.push_back(index);
        }
    }

    /// Tells the peer to open no more lanes; later opens of the peer are refused with `draining`.
    pub fn go_away(&mut self, code: u16, hint: &str) {
        if self.ended.is_some() || self.away.sent {
            return;
        }
        self.away.sent = true;
        let mut end = hint.len().min(TEXT_MAX);
        while !hint.is_char_boundary(end) {
            end -= 1;
        }
        let hint = Bytes::copy_from_slice(hint.get(..end).unwrap_or_default().as_bytes());
        self.command(Command::GoAway { code, hint });
    }

    /// Tells the peer to end a session, attached or not.
    pub fn kill(&mut self, session: SessionId, code: u16) {
        self.command_if_alive(Command::Kill { session, code });
    }

    /// Sends one part of the inventory: whole entries, at most 64 KiB; longer parts are dropped with the link, loudly.
    pub fn inventory(&mut self, entries: Bytes, last: bool) {
        if entries.len() > PAYLOAD_MAX {
            return self.close(Ended::Limit.code(), "an inventory part is too long");
        }
        self.command_if_alive(Command::Inventory { entries, last });
    }

    /// Sends new grant keys, at most 64 KiB; more are dropped with the link, loudly.
    pub fn keys(&mut self, keys: Bytes) {
        if keys.len() > PAYLOAD_MAX {
            return self.close(Ended::Limit.code(), "the grant keys are too long");
        }
        self.command_if_alive(Command::Keys(keys));
    }

    /// Measures the round trip.
    pub fn ping(&mut self) {
        self.control.ping = self.peer.is_some() && self.ended.is_none();
    }

    fn command_if_alive(&mut self, command: Command) {
        if self.ended.is_none() {
            self.command(command);
        }
    }
}
