//! What one lane holds. An idle lane holds no buffer.

use super::{arena::NONE, chunks::Queue, window::Window};
use crate::frame::LaneId;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) id: LaneId,
    pub(super) flow: u64,
    pub(super) phase: Phase,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    /// What is queued for sending.
    pub(super) outbox: Queue,
    /// What came and was not read.
    pub(super) inbox: Queue,
    pub(super) window: Window,
    /// Bytes that the peer lets us send.
    pub(super) credit: u32,
    /// Its place in the schedule, or `NONE`.
    pub(super) ticket: u32,
    pub(super) said: Said,
}

/// How far the lane's opening is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// We asked.
    Opening,
    /// The peer asked; holds this many bytes of metadata and early data until the answer.
    Offered {
        held: u32,
    },
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    Open,
    /// Fin follows the last queued byte.
    Finishing,
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    Open,
    /// Fin came.
    Finished,
    /// And the application was told.
    Ended,
}

/// What was said to the shell or is on its way to the peer, and must not be said twice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    pub(super) readable: bool,
    /// A write was cut short: `Writable` is owed.
    pub(super) owes_writable: bool,
    pub(super) credit_queued: bool,
}

impl Lane {
    pub(super) fn new(id: LaneId, flow: u64, phase: Phase, window: u32, credit: u32) -> Self {
        Self {
            id,
            flow,
            phase,
            sending: Sending::Open,
            receiving: Receiving::Open,
            outbox: Queue::default(),
            inbox: Queue::default(),
            window: Window::new(window),
            credit,
            ticket: NONE,
            said: Said::default(),
        }
    }

    /// Whether a frame of this lane could be sent now.
    pub(super) fn has_work(&self) -> bool {
        match self.sending {
            Sending::Open => !self.outbox.is_empty() && self.credit > 0,
            Sending::Finishing => self.outbox.is_empty() || self.credit > 0,
            Sending::Finished => false,
        }
    }

    /// Both directions are over and the application knows.
    pub(super) fn is_done(&self) -> bool {
        self.sending == Sending::Finished && self.receiving == Receiving::Ended
    }

    /// What the lane counts in the link's and the process' budget.
    pub(super) fn cost(&self) -> usize {
        let held = usize::try_from(self.window.held()).unwrap_or(usize::MAX);
        let queued = usize::try_from(self.inbox.bytes).unwrap_or(usize::MAX);
        let offered = match self.phase {
            Phase::Offered { held } => usize::try_from(held).unwrap_or(usize::MAX),
            Phase::Opening | Phase::Open => 0,
        };
        // `held` counts the queued bytes too; the queue adds what its chunks cost beside them.
        self.outbox.cost() + self.inbox.cost() - queued + held + offered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_lane_costs_less_than_two_hundred_bytes() {
        // Its place in the arena, and its entry in the map of numbers at the map's lowest load.
        let map = 2 * (size_of::<(u32, u32)>() + 1);
        let place = size_of::<Lane>() + align_of::<Lane>();
        assert!(place + map < 200, "{place} + {map}");
    }
}
