//! Which connectors have which links here. It decides who replaces whom; closing links is left to the caller, outside the
//! lock.

use super::dial_in::Dialer;
use postern_ids::{ConnectorId, InstanceId};
use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Links of one connector instance: two by default, up to its cores.
const SLOTS_MAX: usize = 64;
/// Two processes with one key would take over from each other without end; one of them waits (F21).
const TAKEOVER_PAUSE: Duration = Duration::from_secs(5);

/// A link's place in the registry; places are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    connector: ConnectorId,
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
    serial: AtomicU64,
}

#[derive(Debug)]
struct Held<L> {
    instance: InstanceId,
    since: Instant,
    links: Vec<Slot<L>>,
}

#[derive(Debug)]
struct Slot<L> {
    slot: u8,
    serial: u64,
    draining: bool,
    link: L,
}

impl<L> Default for Registry<L> {
    fn default() -> Self {
        Self { connectors: Mutex::default(), serial: AtomicU64::new(1) }
    }
}

impl<L: Clone> Registry<L> {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectorId, Held<L>>> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a link. The newer wins: against the same slot of its instance, and against every link of another instance.
    pub fn enter(&self, dialer: Dialer, link: L, now: Instant) -> Result<Entered<L>, EnterError> {
        let place =
            Place { connector: dialer.connector, serial: self.serial.fetch_add(1, Ordering::Relaxed) };
        let mut connectors = self.lock();
        let came_online = !connectors.contains_key(&dialer.connector);
        let held = connectors.entry(dialer.connector).or_insert_with(|| Held {
            instance: dialer.instance,
            since: now,
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
        let replaced =
            held.links.iter().position(|slot| slot.slot == dialer.slot).map(|at| held.links.remove(at));
        if held.links.len() >= SLOTS_MAX {
            return Err(EnterError::TooManySlots);
        }
        held.links.push(Slot { slot: dialer.slot, serial: place.serial, draining: false, link });
        Ok(Entered { place, replaced: replaced.map(|slot| slot.link), superseded, came_online })
    }

    /// Takes a link out that has ended. Whether that was the connector's last.
    pub fn leave(&self, place: Place) -> bool {
        let mut connectors = self.lock();
        let Some(held) = connectors.get_mut(&place.connector) else { return false };
        let before = held.links.len();
        held.links.retain(|slot| slot.serial != place.serial);
        let was_last = before > 0 && held.links.is_empty();
        if held.links.is_empty() {
            connectors.remove(&place.connector);
        }
        was_last
    }

    /// New streams no longer go to this link.
    pub fn drain(&self, place: Place) {
        if let Some(held) = self.lock().get_mut(&place.connector) {
            held.links
                .iter_mut()
                .filter(|slot| slot.serial == place.serial)
                .for_each(|slot| slot.draining = true);
        }
    }

    /// The least loaded link of these connectors that is none of `tried`.
    pub fn pick(
        &self,
        of: impl Iterator<Item = ConnectorId>,
        tried: &[Place],
        load: impl Fn(&L) -> usize,
    ) -> Option<(Place, L)> {
        let connectors = self.lock();
        of.filter_map(|id| Some((id, connectors.get(&id)?)))
            .flat_map(|(id, held)| {
                held.links.iter().map(move |slot| (Place { connector: id, serial: slot.serial }, slot))
            })
            .filter(|(place, slot)| !slot.draining && !tried.contains(place))
            // Of equally loaded links the older one: it has proven itself.
            .min_by_key(|(place, slot)| (load(&slot.link), place.serial))
            .map(|(place, slot)| (place, slot.link.clone()))
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

    /// Whether this connector has a link here.
    pub fn is_online(&self, connector: ConnectorId) -> bool {
        self.lock().contains_key(&connector)
    }
}

impl Place {
    /// The connector whose link this is.
    pub fn connector(self) -> ConnectorId {
        self.connector
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    fn connector(n: u8) -> ConnectorId {
        ConnectorId::mint(Timestamp::EPOCH, [n; 10])
    }

    fn dialer(c: u8, instance: u8, slot: u8) -> Dialer {
        Dialer { connector: connector(c), instance: InstanceId::mint(Timestamp::EPOCH, [instance; 10]), slot }
    }

    fn pick(registry: &Registry<&'static str>, of: &[u8]) -> Option<&'static str> {
        registry.pick(of.iter().map(|n| connector(*n)), &[], |_| 0).map(|(_, link)| link)
    }

    #[test]
    fn the_newer_link_replaces_the_one_of_its_own_slot_only() {
        let (registry, now) = (Registry::default(), Instant::now());
        assert!(registry.enter(dialer(1, 1, 0), "a", now).unwrap().came_online);
        assert!(!registry.enter(dialer(1, 1, 1), "b", now).unwrap().came_online);
        let entered = registry.enter(dialer(1, 1, 0), "c", now).unwrap();
        assert_eq!((entered.replaced, entered.superseded.len()), (Some("a"), 0));
        assert_eq!(registry.links().len(), 2);
    }

    #[test]
    fn a_replaced_link_that_leaves_late_takes_nothing_with_it() {
        let (registry, now) = (Registry::default(), Instant::now());
        let old = registry.enter(dialer(1, 1, 0), "old", now).unwrap();
        registry.enter(dialer(1, 1, 0), "new", now).unwrap();
        assert!(!registry.leave(old.place));
        assert_eq!(pick(&registry, &[1]), Some("new"));
    }

    #[test]
    fn t11_another_instance_with_the_same_key_supersedes_the_older_one() {
        let (registry, now) = (Registry::default(), Instant::now());
        registry.enter(dialer(1, 1, 0), "older", now).unwrap();
        registry.enter(dialer(1, 1, 1), "older too", now).unwrap();
        let later = now + TAKEOVER_PAUSE;
        let entered = registry.enter(dialer(1, 2, 0), "newest", later).unwrap();
        assert_eq!(entered.superseded, ["older", "older too"]);
        assert_eq!(pick(&registry, &[1]), Some("newest"));
    }

    #[test]
    fn f21_two_instances_that_take_over_from_each_other_are_damped() {
        let (registry, now) = (Registry::default(), Instant::now());
        registry.enter(dialer(1, 1, 0), "one", now).unwrap();
        registry.enter(dialer(1, 2, 0), "two", now + TAKEOVER_PAUSE).unwrap();
        let again = registry.enter(dialer(1, 1, 0), "one", now + TAKEOVER_PAUSE + Duration::from_secs(1));
        assert_eq!(again.unwrap_err(), EnterError::Flapping);
        assert_eq!(pick(&registry, &[1]), Some("two"), "the registration that stands is untouched");
    }

    #[test]
    fn f04_a_restarted_connector_whose_links_are_gone_enters_at_once() {
        let (registry, now) = (Registry::default(), Instant::now());
        let first = registry.enter(dialer(1, 1, 0), "first", now).unwrap();
        assert!(registry.leave(first.place), "it was the last");
        registry.enter(dialer(1, 2, 0), "second", now + Duration::from_millis(10)).unwrap();
    }

    #[test]
    fn new_streams_go_to_the_least_loaded_link_that_is_not_draining() {
        let (registry, now) = (Registry::default(), Instant::now());
        registry.enter(dialer(1, 1, 0), "busy", now).unwrap();
        let idle = registry.enter(dialer(2, 1, 0), "idle", now).unwrap();
        let load = |link: &&str| if *link == "busy" { 10 } else { 1 };
        let both = || [connector(1), connector(2)].into_iter();
        assert_eq!(registry.pick(both(), &[], load).unwrap().1, "idle");
        assert_eq!(registry.pick(both(), &[idle.place], load).unwrap().1, "busy");
        registry.drain(idle.place);
        assert_eq!(registry.pick(both(), &[], load).unwrap().1, "busy");
    }

    #[test]
    fn t09_a_link_is_found_under_its_own_connector_only() {
        let (registry, now) = (Registry::default(), Instant::now());
        registry.enter(dialer(1, 1, 0), "one", now).unwrap();
        assert_eq!(pick(&registry, &[2]), None);
        assert_eq!(registry.retain(|id| id != connector(1)), [(connector(1), "one")]);
        assert_eq!(pick(&registry, &[1]), None);
    }
}
