//! What stays the same for a whole run, and how a shell may be broken on purpose.

use super::rng::Rng;
use postern_tunnel_proto::{Budget, stream::Config};
use std::time::Duration;

/// Bytes that a side keeps for sending again.
pub(crate) const REPLAY_MAX: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How long a stream waits for a lane.
    pub(crate) window: Duration,
    /// Bytes that may wait to be read.
    pub(crate) unread_max: usize,
    /// Bytes that the streams of a process should hold together.
    pub(crate) budget_max: usize,
    /// A connector says no with a Reject record on an accepted lane; otherwise it refuses the lane.
    pub(crate) rejects_with_record: bool,
    /// A loud end goes out as an End record; otherwise the lane is reset with its code.
    pub(crate) ends_with_record: bool,
    /// Links between the connector and each gateway.
    pub(crate) slots: usize,
    pub(crate) sabotage: Option<Sabotage>,
}

impl Terms {
    pub(crate) fn new(rng: &mut Rng, sabotage: Option<Sabotage>) -> Self {
        let tight = rng.one_in(12);
        Self {
            window: Duration::from_secs(if rng.one_in(5) { 6 } else { 120 }),
            unread_max: rng.pick(&[64 * 1024, 96 * 1024, 256 * 1024]),
            budget_max: if tight { 160 * 1024 } else { 64 * 1024 * 1024 },
            rejects_with_record: rng.one_in(2),
            ends_with_record: rng.one_in(2),
            slots: rng.between(1, 2),
            sabotage,
        }
    }

    /// For the streams of one process.
    pub(crate) fn config(&self) -> Config {
        Config {
            replay_max: REPLAY_MAX,
            unread_max: self.unread_max,
            ack_bytes: 8 * 1024,
            window: self.window,
            budget: Budget::new(self.budget_max),
            ..Config::default()
        }
    }

    /// A stream of a process that holds too much may be ended for it.
    pub(crate) fn is_tight(&self) -> bool {
        self.budget_max < 1024 * 1024
    }
}

/// A shell that is wrong on purpose, so that the harness must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The gateway opens a lane to the connector before its decision is recorded.
    AdmitsUnrecorded,
    /// The gateway overlooks sessions that wait for their client when a right ends.
    ForgetsThoseWhoWait,
    /// The gateway does not read inventories.
    IgnoresInventory,
    /// The connector ignores Kill.
    IgnoresKill,
    /// Nobody watches the hard expiry.
    IgnoresExpiry,
    /// Bytes of an older lane are given to the stream as bytes of the newest.
    HearsOlderLanes,
    /// A lane that is lost is not told to its stream.
    ForgetsLostLanes,
    /// Whoever has everything leaves with the lane that should have said so.
    LeavesUntold,
    /// The connector dials the target again for a stream that it holds.
    DialsTwice,
    /// What was read from a lane just before a new one is given to the program twice.
    DeliversTwice,
    /// The store takes every end of a session.
    RecordsEveryEnd,
}

impl Sabotage {
    /// Each with the invariants that it breaks: one of them is missed first.
    pub(crate) const ALL: [(Self, &'static [&'static str]); 11] = [
        (Self::AdmitsUnrecorded, &["D1"]),
        (Self::ForgetsThoseWhoWait, &["D5"]),
        (Self::IgnoresInventory, &["D5"]),
        (Self::IgnoresKill, &["D5"]),
        (Self::IgnoresExpiry, &["D5"]),
        (Self::HearsOlderLanes, &["D12"]),
        (Self::ForgetsLostLanes, &["D5", "D12", "D14"]),
        (Self::LeavesUntold, &["D14"]),
        (Self::DialsTwice, &["D12"]),
        (Self::DeliversTwice, &["D12"]),
        (Self::RecordsEveryEnd, &["D14"]),
    ];
}
