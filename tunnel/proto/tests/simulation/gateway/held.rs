//! A session that a gateway holds: asked for, carried, or waiting at its connector for its client.

use super::Home;
use crate::{stage::LaneAt, words::Facts};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// What news may take beyond the window of a connector.
const NEWS_MAX: Duration = Duration::from_secs(15);
/// What a node left unfinished may have gone on elsewhere for the window, and a little longer.
pub(super) const SWEEP_AFTER: Duration = Duration::from_secs(30);
/// How long a resume waits for a link of the process that holds its stream.
pub(super) const PLACE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Held {
    pub(super) facts: Facts,
    /// The process that holds the stream, once it may.
    pub(super) home: Option<Home>,
    /// The newest attempt that is known here.
    pub(super) generation: u32,
    /// It stands in the store.
    pub(super) is_recorded: bool,
    /// How often its connector was asked: what was asked for in vain once, and only once, was never there.
    pub(super) asks: u32,
    pub(super) state: State,
    /// The connector said during this attempt that it waits again, after a newer one that came through another gateway.
    pub(super) elsewhere: Option<u32>,
    /// Since when it waits, or was last heard to wait.
    pub(super) since: Instant,
}

#[derive(Debug)]
pub(super) enum State {
    /// The decision is being recorded until then.
    Recording {
        asker: LaneAt,
        early: Bytes,
        until: Instant,
    },
    /// There was no link of its connector when it was looked for last; one may come until then.
    Placing {
        asker: LaneAt,
        early: Bytes,
        until: Instant,
        looks_at: Instant,
    },
    /// The connector was asked.
    Opening {
        asker: LaneAt,
        there: LaneAt,
    },
    Carried {
        asker: LaneAt,
        there: LaneAt,
    },
    /// No lane here carries it.
    Waiting,
}

/// What became of a session that is not held any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    Ended(u16),
    /// It went on elsewhere after this attempt.
    Moved(u32),
}

impl Held {
    /// When something is to be done about it.
    pub(super) fn due(&self, window: Duration) -> Instant {
        let own = match &self.state {
            State::Recording { until, .. } => Some(*until),
            State::Placing { looks_at, .. } => Some(*looks_at),
            State::Opening { .. } | State::Carried { .. } => None,
            State::Waiting => Some(self.is_lost_at(window)),
        };
        let far = self.since + Duration::from_secs(3_600);
        [own, self.facts.expires].into_iter().flatten().min().unwrap_or(far)
    }

    /// Nobody was heard of for so long that nobody can come back.
    pub(super) fn is_lost_at(&self, window: Duration) -> Instant {
        self.since + window + NEWS_MAX
    }

    /// Its lanes here: the client's, and the connector's.
    pub(super) fn lanes(&self) -> (Option<LaneAt>, Option<LaneAt>) {
        match self.state {
            State::Recording { asker, .. } | State::Placing { asker, .. } => (Some(asker), None),
            State::Opening { asker, there } | State::Carried { asker, there } => (Some(asker), Some(there)),
            State::Waiting => (None, None),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    pub(super) fn is_carried(&self) -> bool {
        matches!(self.state, State::Carried { .. })
    }
}
