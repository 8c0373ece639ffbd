//! What a connector says it holds: read entry by entry, each checked against its own grant, at a bounded rate.
//!
//! A connector can only speak about streams that this installation granted to it: what it says about others changes
//! nothing. The list comes whole on each link that comes up; news follow on one of them.

use super::{
    close,
    registry::{Home, Place},
};
use crate::{
    bucket::{Bucket, Rate},
    signing::{Signer, Stated},
};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId, Timestamp};
use postern_tunnel_io::inventory::{Entry, State, entries};
use std::{sync::Arc, time::Instant};

/// Entries that a link may bring at once and a second: twice as many at once as a connector holds by default, and more a
/// second than one gateway's clients come and go. An entry costs one signature to check; above the rate the link waits.
const ENTRIES: Rate = Rate { burst: 32_768, per_second: 1_000 };
/// Entries of one list. Beyond it the link is closed.
const LIST_MAX: usize = 131_072;

/// One stream, as its connector describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which process says so.
    pub home: Home,
    /// The stream.
    pub stream: StreamId,
    /// Its session.
    pub session: SessionId,
    /// The newest attempt that the connector took.
    pub generation: u32,
    /// How it stands.
    pub standing: Standing,
}

/// How a stream stands at its connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Some gateway carries it. Proven by its grant, if nobody here knows its session.
    Attached {
        /// Whether it is.
        is_proven: bool,
    },
    /// It waits for its client.
    Detached(Box<Stated>),
    /// It waits for its client, and its grant is none of ours for this connector, stream and session.
    Unproven,
    /// It is over, with this code.
    Over(u16),
}

/// Hears what connectors hold. Owned here, so that nothing of sessions is known here.
pub trait Holdings: Send + Sync {
    /// Whether this session is carried or waits here: then it is known which process holds it.
    fn knows(&self, session: SessionId) -> bool;
    /// A process has a link here; what other processes of its connector held is gone.
    fn arrived(&self, home: Home);
    /// One entry of a list, or of news.
    fn told(&self, told: Told);
    /// The list that was put together after `since` is complete: what it did not name, the process does not hold.
    fn listed(&self, home: Home, since: Instant);
}

/// The link broke a rule of inventories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadInventory {
    #[error("inventory: malformed")]
    Malformed,
    #[error("inventory: more entries than a connector may hold")]
    TooLong,
}

impl BadInventory {
    /// The code that the link is closed with.
    pub(super) fn code(self) -> u16 {
        match self {
            Self::Malformed => close::PROTOCOL,
            Self::TooLong => close::LIMIT,
        }
    }
}

/// Reads the inventory of one link.
pub(super) struct Reader {
    place: Place,
    signer: Signer,
    holdings: Arc<dyn Holdings>,
    dialed: Instant,
    bucket: Bucket,
    in_list: usize,
    /// Whether the list of the link-up is complete, so that parts are news.
    is_listed: bool,
}

impl Reader {
    /// `dialed` is a moment before the connector put its list together.
    pub(super) fn new(place: Place, signer: Signer, holdings: Arc<dyn Holdings>, dialed: Instant) -> Self {
        let bucket = Bucket::full(ENTRIES, Instant::now());
        Self { place, signer, holdings, dialed, bucket, in_list: 0, is_listed: false }
    }

    /// Takes one part. True when it completed the list of the link-up.
    pub(super) async fn take(
        &mut self,
        part: Bytes,
        last: bool,
        clock: fn() -> Timestamp,
    ) -> Result<bool, BadInventory> {
        for entry in entries(part) {
            let entry = entry.map_err(|_| BadInventory::Malformed)?;
            self.in_list += 1;
            if self.in_list > LIST_MAX {
                return Err(BadInventory::TooLong);
            }
            self.wait_for_turn().await;
            self.holdings.told(self.check(&entry, clock()));
        }
        if !last {
            return Ok(false);
        }
        self.in_list = 0;
        let completes = !std::mem::replace(&mut self.is_listed, true);
        if completes {
            self.holdings.listed(self.place.home(), self.dialed);
        }
        Ok(completes)
    }

    /// One entry a turn: others run between two signatures, and a flood waits.
    async fn wait_for_turn(&mut self) {
        match self.bucket.take(ENTRIES, Instant::now()) {
            Ok(()) => tokio::task::yield_now().await,
            Err(pause) => tokio::time::sleep(pause).await,
        }
    }

    fn check(&self, entry: &Entry, now: Timestamp) -> Told {
        let home = self.place.home();
        let standing = match entry.state {
            State::Attached => {
                let is_proven = !self.holdings.knows(entry.session) && self.stated(entry, now).is_some();
                Standing::Attached { is_proven }
            }
            State::Over(code) => Standing::Over(code),
            State::Detached => self.stated(entry, now).map_or(Standing::Unproven, Standing::Detached),
        };
        Told { home, stream: entry.stream, session: entry.session, generation: entry.generation, standing }
    }

    /// What the grant says, if it is one of ours for this connector, stream and session.
    fn stated(&self, entry: &Entry, now: Timestamp) -> Option<Box<Stated>> {
        let stated = self.signer.read_held(&entry.grant, self.place.connector(), now).ok()?;
        let is_of_entry = stated.session == entry.session && stated.stream == entry.stream;
        is_of_entry.then(|| Box::new(stated))
    }
}
