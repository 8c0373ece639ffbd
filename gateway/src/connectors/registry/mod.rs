//! Which connectors have which links here. It decides who replaces whom; closing links is left to the caller, outside the
//! lock.

mod arrivals;
#[cfg(test)]
mod tests;
mod way;

pub use way::{Home, Way};

use super::dial_in::Dialer;
use arrivals::Arrivals;
use postern_ids::{ConnectorId, InstanceId};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Links of one connector instance: two by default, up to its cores.
const SLOTS_MAX: usize = 64;
/// Two processes with one key would take over from each other without end; one of them waits (F21).
const TAKEOVER_PAUSE: Duration = Duration::from_secs(5);
/// A connector dials again within this after it was cut off, and after this gateway began to listen: a few attempts.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// A link's place in the registry; places are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    home: Home,
    serial: u64,
}

/// What entering changed.
#[derive(Debug)]
pub struct Entered<L> {
    /// Where the link stands.
    pub place: Place,
    /// The link that this one replaces: same instance, same slot.
    pub replaced: Option<L>,
    /// The links of another instance of the same connector, which is alive or has just died.
    pub superseded: Vec<L>,
    /// Whether the connector had no link before.
    pub came_online: bool,
    /// How long new sessions go to other connectors, because this one came too often.
    pub passed_over: Duration,
}

/// Why a link may not enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// Another instance took over a moment ago and is alive: two processes share one key.
    #[error("two instances of this connector take over from each other")]
    Flapping,
    /// The instance has all the links it may have.
    #[error("the connector has too many links")]
    TooManySlots,
}

/// The links of all connectors at this gateway.
#[derive(Debug)]
pub struct Registry<L> {
    connectors: Mutex<HashMap<ConnectorId, Held<L>>>,
    /// When connectors lost their last link, of those that did a moment ago.
    left: Mutex<HashMap<ConnectorId, Instant>>,
    arrivals: Mutex<Arrivals>,
    since: Instant,
    serial: AtomicU64,
    /// Rung when a link becomes usable, a connector's process changes, or its last link left.
    changed: Notify,
}

#[derive(Debug)]
struct Held<L> {
    instance: InstanceId,
    since: Instant,
    /// From when on it is as good as others for new sessions.
    trusted: Instant,
    links: Vec<Slot<L>>,
}

impl<L: Clone> Held<L> {
    fn least_loaded(
        &self,
        connector: ConnectorId,
        tried: &[Place],
        load: impl Fn(&L) -> usize,
    ) -> Option<(usize, Place, L)> {
        let usable = self.links.iter().filter(|slot| slot.is_usable());
        let home = Home { connector, instance: self.instance };
        let places = usable.map(|slot| (Place { home, serial: slot.serial }, slot));
        places
            .filter(|(place, _)| !tried.contains(place))
            .map(|(place, slot)| (load(&slot.link), place, slot))
            // Of equally loaded links the older one: it has proven itself.
            .min_by_key(|(load, place, _)| (*load, place.serial))
            .map(|(load, place, slot)| (load, place, slot.link.clone()))
    }
}

#[derive(Debug)]
struct Slot<L> {
    slot: u8,
    serial: u64,
    /// Lanes are opened only after the connector said what it holds: until then a stream that a client wants back could
    /// be taken for one that nobody holds.
    ready: bool,
    draining: bool,
    link: L,
}

impl<L> Slot<L> {
    fn is_usable(&self) -> bool {
        self.ready && !self.draining
    }
}

impl<L> Default for Registry<L> {
    fn default() -> Self {
        Self {
            connectors: Mutex::default(),
            left: Mutex::default(),
            arrivals: Mutex::default(),
            since: Instant::now(),
            serial: AtomicU64::new(1),
            changed: Notify::new(),
        }
    }
}

impl<L: Clone> Registry<L> {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectorId, Held<L>>> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a link. The newer wins: against the same slot of its instance, and against every link of another instance.
    pub fn enter(&self, dialer: Dialer, link: L, now: Instant) -> Result<Entered<L>, EnterError> {
        let home = Home { connector: dialer.connector, instance: dialer.instance };
        let place = Place { home, serial: self.serial.fetch_add(1, Ordering::Relaxed) };
        let mut connectors = self.lock();
        let came_online = !connectors.contains_key(&dialer.connector);
        let held = connectors.entry(dialer.connector).or_insert_with(|| Held {
            instance: dialer.instance,
            since: now,
            trusted: now,
            links: Vec::new(),
        });
        let mut superseded = Vec::new();
        if held.instance != dialer.instance {
            if now.saturating_duration_since(held.since) < TAKEOVER_PAUSE {
                return Err(EnterError::Flapping);
            }
            superseded = held.links.drain(..).map(|slot| slot.link).collect();
            (held.instance, held.since) = (dialer.instance, now);
        }
        if came_online || !superseded.is_empty() {
            held.trusted = self.arrived(dialer.connector, now);
        }
        let passed_over = held.trusted.saturating_duration_since(now);
        let replaced =
            held.links.iter().position(|slot| slot.slot == dialer.slot).map(|at| held.links.remove(at));
        if held.links.len() >= SLOTS_MAX {
            return Err(EnterError::TooManySlots);
        }
        held.links.push(Slot {
            slot: dialer.slot,
            serial: place.serial,
            ready: false,
            draining: false,
            link,
        });
        drop(connectors);
        self.changed.notify_waiters();
        Ok(Entered { place, replaced: replaced.map(|slot| slot.link), superseded, came_online, passed_over })
    }

    fn arrived(&self, connector: ConnectorId, now: Instant) -> Instant {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).note(connector, now)
    }

    /// Takes a link out that has ended. Whether that was the connector's last.
    pub fn leave(&self, place: Place, now: Instant) -> bool {
        let mut connectors = self.lock();
        let Some(held) = connectors.get_mut(&place.connector()) else { return false };
        let before = held.links.len();
        held.links.retain(|slot| slot.serial != place.serial);
        let was_last = before > 0 && held.links.is_empty();
        if held.links.is_empty() {
            connectors.remove(&place.connector());
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.retain(|_, at| now.saturating_duration_since(*at) < BACK_WITHIN);
            left.insert(place.connector(), now);
            self.changed.notify_waiters();
        }
        was_last
    }

    /// Whether one of these connectors may dial in any moment: it was here a moment ago, or this gateway was not.
    pub fn is_expected(&self, mut of: impl Iterator<Item = ConnectorId>, now: Instant) -> bool {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < BACK_WITHIN;
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        of.any(|id| is_recent(self.since) || left.get(&id).copied().is_some_and(is_recent))
    }

    /// The connector said what it holds: from here on lanes go to this link. False if that was known already.
    pub fn ready(&self, place: Place) -> bool {
        let became = self.change(place, |slot| !std::mem::replace(&mut slot.ready, true));
        self.changed.notify_waiters();
        became
    }

    /// New streams no longer go to this link. False if that was so already.
    pub fn drain(&self, place: Place) -> bool {
        self.change(place, |slot| !std::mem::replace(&mut slot.draining, true))
    }

    fn change(&self, place: Place, change: impl FnOnce(&mut Slot<L>) -> bool) -> bool {
        let mut connectors = self.lock();
        let slots = connectors.get_mut(&place.connector()).into_iter().flat_map(|held| &mut held.links);
        slots.into_iter().find(|slot| slot.serial == place.serial).is_some_and(change)
    }

    /// The least loaded usable link of these connectors that is none of `tried`. One that came too often lately is taken
    /// only where there is no other.
    pub fn pick(
        &self,
        of: impl Iterator<Item = ConnectorId>,
        tried: &[Place],
        load: impl Fn(&L) -> usize,
        now: Instant,
    ) -> Option<(Place, L)> {
        let connectors = self.lock();
        of.filter_map(|id| Some((id, connectors.get(&id)?)))
            .filter_map(|(id, held)| Some((now < held.trusted, held.least_loaded(id, tried, &load)?)))
            .min_by_key(|(passed_over, (load, place, _))| (*passed_over, *load, place.serial))
            .map(|(_, (_, place, link))| (place, link))
    }

    /// Takes out the links of every connector that `keep` does not want.
    pub fn retain(&self, keep: impl Fn(ConnectorId) -> bool) -> Vec<(ConnectorId, L)> {
        let mut connectors = self.lock();
        let gone: Vec<ConnectorId> = connectors.keys().copied().filter(|id| !keep(*id)).collect();
        gone.into_iter()
            .filter_map(|id| Some((id, connectors.remove(&id)?)))
            .flat_map(|(id, held)| held.links.into_iter().map(move |slot| (id, slot.link)))
            .collect()
    }

    /// All links.
    pub fn links(&self) -> Vec<L> {
        self.lock().values().flat_map(|held| held.links.iter().map(|slot| slot.link.clone())).collect()
    }

    /// The connectors that have a link here, with the number of their links.
    pub fn online(&self) -> Vec<(ConnectorId, usize)> {
        self.lock().iter().map(|(id, held)| (*id, held.links.len())).collect()
    }

    /// Whether lanes can be opened to this connector.
    pub fn is_usable(&self, connector: ConnectorId) -> bool {
        self.lock().get(&connector).is_some_and(|held| held.links.iter().any(Slot::is_usable))
    }

    /// Whether this connector has a link here.
    pub fn is_online(&self, connector: ConnectorId) -> bool {
        self.lock().contains_key(&connector)
    }
}

impl Place {
    /// The connector whose link this is.
    pub fn connector(self) -> ConnectorId {
        self.home.connector
    }

    /// The process whose link this is.
    pub fn home(self) -> Home {
        self.home
    }
}
