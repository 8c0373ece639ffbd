//! The way to one process of a connector: a stream lives where it was opened and nowhere else.

use super::{EnterError, Entered, Place, Registry};
use crate::connectors::dial_in::Dialer;
use postern_ids::{ConnectorId, InstanceId};
use tokio::time::{Instant, timeout_at};

/// One process of a connector: the only one that can hold a stream that it opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Home {
    /// The connector.
    pub connector: ConnectorId,
    /// Its process.
    pub instance: InstanceId,
}

/// The way to one process of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way<L> {
    /// Its least loaded link.
    Link(Place, L),
    /// Another process of the connector is here instead: what the asked one held is gone.
    OtherInstance,
    /// It has no usable link here at this moment.
    None,
}

impl<L: Clone> Registry<L> {
    /// The way to a process at this moment, by a link that is none of `tried`.
    pub fn way_to(&self, home: Home, tried: &[Place], load: impl Fn(&L) -> usize) -> Way<L> {
        let connectors = self.lock();
        let Some(held) = connectors.get(&home.connector) else { return Way::None };
        if held.instance != home.instance {
            return Way::OtherInstance;
        }
        match held.least_loaded(home.connector, tried, load) {
            Some((_, place, link)) => Way::Link(place, link),
            None => Way::None,
        }
    }

    /// Enters a link. A process that was killed and started again dials before the end of its earlier links is noticed: that
    /// is waited for, but not beyond `until`.
    pub async fn enter_once_free(
        &self,
        dialer: Dialer,
        link: &L,
        until: Instant,
    ) -> Result<Entered<L>, EnterError> {
        let look = || match self.enter(dialer, link.clone(), Instant::now().into_std()) {
            Err(EnterError::Flapping) => None,
            verdict @ (Ok(_) | Err(EnterError::TooManySlots)) => Some(verdict),
        };
        self.await_change(until, look).await.unwrap_or(Err(EnterError::Flapping))
    }

    /// The way to a process; waits for one, but not beyond `until`.
    pub async fn reach(
        &self,
        home: Home,
        tried: &[Place],
        load: impl Fn(&L) -> usize,
        until: Instant,
    ) -> Way<L> {
        let look = || match self.way_to(home, tried, &load) {
            Way::None => None,
            known @ (Way::Link(..) | Way::OtherInstance) => Some(known),
        };
        self.await_change(until, look).await.unwrap_or(Way::None)
    }

    /// Waits until a link becomes usable or a connector's process changes, and `look` finds something; not beyond `until`.
    pub async fn await_change<T>(&self, until: Instant, look: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            // Registered before the look: a link that becomes usable between the two must wake this waiter.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look() {
                return Some(found);
            }
            timeout_at(until, changed).await.ok()?;
        }
    }

    /// Every link of a process, usable or not.
    pub fn links_of(&self, home: Home) -> Vec<L> {
        let connectors = self.lock();
        let held = connectors.get(&home.connector).filter(|held| held.instance == home.instance);
        held.into_iter().flat_map(|held| held.links.iter().map(|slot| slot.link.clone())).collect()
    }
}
