//! What is remembered of a stream that is over: for a client that missed the end, for gateways that did not see it, and so
//! that nothing that once opened it opens it again.

use bytes::Bytes;
use postern_ids::{Ended, SessionId, StreamId};
use postern_tunnel_io::{
    inventory::{self, State},
    stream::Held,
};
use std::time::{Duration, Instant};

/// Beyond the window: a client may notice late that its lane is dead, and has its whole window from then on.
const LATE_MAX: Duration = Duration::from_secs(30);
/// An end on a lane stands in the lists for so long: a gateway whose link died under it hears of it over the next one,
/// which comes within seconds.
const LISTED_MAX: Duration = Duration::from_secs(60);

/// A stream that is over; a connector may remember a hundred thousand, so it is kept small.
#[derive(Debug, Clone)]
pub struct Past {
    session: SessionId,
    key: [u8; 32],
    since: Instant,
    generation: u32,
    /// From the end on, in milliseconds: how long a grant of its could open something.
    granted_for: u32,
    code: u16,
    /// It ended on a lane, whose gateway records it.
    is_seen: bool,
    /// Of an end on a lane: the last grant, if other gateways may believe that the stream waits.
    grant: Option<Box<Bytes>>,
    /// It finished in order, so that there is more to say than a code to a client that missed it.
    held: Option<Held>,
}

/// How a stream came to its end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) code: u16,
    pub(super) at: Instant,
    pub(super) granted_until: Instant,
    pub(super) seen: Option<Bytes>,
}

impl Past {
    pub(super) fn new(held: &Held, session: SessionId, end: End) -> Self {
        let End { code, at, granted_until, seen } = end;
        let is_finished = code == Ended::Finished.code();
        Self {
            session,
            key: held.key(),
            since: at,
            generation: held.generation(),
            granted_for: millis_rounded_up(granted_until.saturating_duration_since(at)),
            code,
            is_seen: seen.is_some(),
            grant: seen.filter(|grant| !grant.is_empty()).map(Box::new),
            held: is_finished.then(|| held.clone()),
        }
    }

    /// Its client's key.
    pub fn key(&self) -> [u8; 32] {
        self.key
    }

    /// How it ended.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// What takes a lane of this session, to tell its client that everything arrived.
    pub fn finished(&self, session: SessionId) -> Option<&Held> {
        self.held.as_ref().filter(|_| session == self.session)
    }

    /// Somebody asks for it with a grant.
    pub(super) fn set_granted(&mut self, until: Instant) {
        let granted = millis_rounded_up(until.saturating_duration_since(self.since));
        self.granted_for = self.granted_for.max(granted);
    }

    /// How long it is remembered.
    pub(super) fn until(&self, window: Duration) -> Instant {
        self.granted_until().max(self.since + window + LATE_MAX)
    }

    /// Whether something could open it again if it were forgotten.
    pub(super) fn is_granted(&self, now: Instant) -> bool {
        now < self.granted_until()
    }

    fn granted_until(&self) -> Instant {
        self.since + Duration::from_millis(self.granted_for.into())
    }

    /// Nothing is left to do for it: what would tell a client that knows the end is let go.
    pub(super) fn settle(&mut self) -> Option<Held> {
        self.held.take_if(|held| held.has_parted())
    }

    /// What the list of held streams says of it.
    pub(super) fn listed(&self, stream: StreamId, now: Instant) -> Option<inventory::Entry> {
        let is_recent = now.saturating_duration_since(self.since) < LISTED_MAX;
        (!self.is_seen || is_recent).then(|| self.entry(stream, State::Over(self.code), Bytes::new()))
    }

    /// What gateways are told that may believe that it waits for its client.
    pub(super) fn news(&self, stream: StreamId) -> inventory::Entry {
        match &self.grant {
            // The gateway of the lane that it ended on records it: for the others it lives elsewhere.
            Some(grant) => self.entry(stream, State::Attached, Bytes::clone(grant)),
            None => self.entry(stream, State::Over(self.code), Bytes::new()),
        }
    }

    fn entry(&self, stream: StreamId, state: State, grant: Bytes) -> inventory::Entry {
        let Self { session, generation, .. } = *self;
        inventory::Entry { stream, session, generation, state, grant }
    }
}

/// Rounded up, so that nothing is forgotten early.
fn millis_rounded_up(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().saturating_add(1)).unwrap_or(u32::MAX)
}

const _: () = assert!(size_of::<Past>() <= 96, "what is remembered of an ended stream has grown");
