//! How lanes and the link come to their end.

use super::{EndedBy, Event, Link, LinkEnd, Side, lane::Lane};
use crate::{frame::LaneId, room::give_back};
use std::borrow::Cow;

/// The WebSocket code for a broken protocol.
pub(super) const PROTOCOL: u16 = 1002;
/// The WebSocket code for a message that is too big.
pub(super) const TOO_BIG: u16 = 1009;
/// The code for a broken flow-control rule.
pub(super) const FLOW_CONTROL: u16 = 4413;
/// The local code for a transport that is gone without a close.
const ABNORMAL: u16 = 1006;

impl Link {
    /// Ends the link: control frames that wait are sent, then the close.
    pub fn close(&mut self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.end(EndedBy::Us, code, reason.into(), true);
    }

    /// The peer's WebSocket close came, or the transport ended (code 1006 then).
    pub fn handle_close(&mut self, code: u16, reason: &str) {
        let reason = crate::frame::text(reason.as_bytes());
        self.end(EndedBy::Peer, code, reason.into(), false);
    }

    /// The peer broke WebSocket itself (a text message, a message too big): closes with `code`.
    pub fn handle_violation(&mut self, code: u16, reason: &'static str) {
        self.violation(code, reason);
    }

    pub(super) fn violation(&mut self, code: u16, reason: impl Into<Cow<'static, str>>) {
        self.end(EndedBy::Violation, code, reason.into(), true);
    }

    /// The peer is silent or does not read: nothing that is sent would arrive.
    pub(super) fn dead(&mut self, reason: &'static str) {
        self.end(EndedBy::Timeout, ABNORMAL, reason.into(), false);
    }

    pub(super) fn end(&mut self, by: EndedBy, code: u16, reason: Cow<'static, str>, tell: bool) {
        if self.ended.is_some() {
            return;
        }
        let all: Vec<u32> = self.lanes.iter().map(|(index, _)| index).collect();
        for index in all {
            self.remove(index);
        }
        if by != EndedBy::Us {
            self.control.clear();
        }
        (self.control.ping, self.control.pong) = (false, None);
        self.credits.clear();
        let end = LinkEnd { by, code, reason };
        self.events.push_back(Event::Closed(end.clone()));
        self.ended = Some(end);
        self.close_due = tell;
    }

    pub(super) fn insert(&mut self, lane: Lane) -> u32 {
        let (id, cost) = (lane.id, lane.cost());
        let index = self.lanes.insert(lane);
        self.by_id.insert(id.0, index);
        if self.is_theirs(id) {
            self.theirs += 1;
        }
        self.recount(0, cost);
        index
    }

    /// Forgets a lane and everything it holds.
    pub(super) fn remove(&mut self, index: u32) -> Option<LaneId> {
        let mut lane = self.lanes.remove(index)?;
        self.recount(lane.cost(), 0);
        self.chunks.clear(&mut lane.inbox);
        self.chunks.clear(&mut lane.outbox);
        self.schedule.leave(lane.ticket);
        self.by_id.remove(&lane.id.0);
        give_back(&mut self.by_id);
        if self.is_theirs(lane.id) {
            self.theirs -= 1;
        }
        Some(lane.id)
    }

    /// Forgets a lane whose both directions are over and read.
    pub(super) fn end_if_done(&mut self, index: u32) {
        if self.lanes.get(index).is_some_and(Lane::is_done)
            && let Some(id) = self.remove(index)
        {
            self.events.push_back(Event::Done(id));
        }
    }

    /// Whether the peer is the one who gives such numbers.
    pub(super) fn is_theirs(&self, lane: LaneId) -> bool {
        (lane.0 % 2 == 1) == (self.config.side == Side::Acceptor)
    }
}
