//! The links that are up, by gateway: over which of them a gateway hears news of streams, and what news wait for it.

use postern_ids::StreamId;
use postern_tunnel_io::Link;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time};

/// A gateway address, by its place in the list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway(pub usize);

/// The links of the process.
#[derive(Debug, Clone)]
pub struct Links(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    roster: Mutex<Roster>,
    /// One for each gateway: there is news, or another link to tell them on.
    pokes: Vec<Notify>,
}

#[derive(Debug)]
struct Roster {
    gateways: Vec<Linked>,
    next: u64,
}

/// One gateway.
#[derive(Debug, Default)]
struct Linked {
    /// The newest last.
    up: Vec<Up>,
    /// Streams that it has to hear about. Bounded by the table of streams; empty while no link is up, for the first one
    /// tells everything.
    changed: HashSet<StreamId>,
}

#[derive(Debug)]
struct Up {
    serial: u64,
    link: Link,
    /// The gateway has the whole list over this link: now it understands news.
    is_listed: bool,
}

impl Links {
    /// None yet, to this many gateways.
    pub fn new(gateways: usize) -> Self {
        let roster = Roster { gateways: (0..gateways).map(|_| Linked::default()).collect(), next: 0 };
        let pokes = (0..gateways).map(|_| Notify::new()).collect();
        Self(Arc::new(Inner { roster: Mutex::new(roster), pokes }))
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.0.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poke(&self, gateway: Gateway) {
        if let Some(poke) = self.0.pokes.get(gateway.0) {
            poke.notify_one();
        }
    }

    /// Every gateway.
    pub fn gateways(&self) -> impl Iterator<Item = Gateway> + use<> {
        (0..self.0.pokes.len()).map(Gateway)
    }

    /// Enters a link that is up; it leaves when the entry is dropped.
    pub fn enter(&self, gateway: Gateway, link: &Link) -> Entry {
        let mut roster = self.lock();
        let serial = roster.next;
        roster.next += 1;
        if let Some(linked) = roster.gateways.get_mut(gateway.0) {
            linked.up.push(Up { serial, link: link.clone(), is_listed: false });
        }
        Entry { links: self.clone(), gateway, serial }
    }

    /// There is news of a stream, for every gateway.
    pub fn changed(&self, stream: StreamId) {
        let mut roster = self.lock();
        for (linked, poke) in roster.gateways.iter_mut().zip(&self.0.pokes) {
            if !linked.up.is_empty() {
                linked.changed.insert(stream);
                poke.notify_one();
            }
        }
    }

    /// Waits until there may be something to tell this gateway.
    pub async fn poked(&self, gateway: Gateway) {
        match self.0.pokes.get(gateway.0) {
            Some(poke) => poke.notified().await,
            None => std::future::pending().await,
        }
    }

    /// The link to tell a gateway news on: its newest, for an older one may be leaving. None while the list of all
    /// streams is still on its way there, so that news never arrive before what they change.
    pub fn teller(&self, gateway: Gateway) -> Option<Link> {
        let roster = self.lock();
        let newest = roster.gateways.get(gateway.0)?.up.iter().rfind(|up| !up.link.is_closed())?;
        newest.is_listed.then(|| newest.link.clone())
    }

    /// Takes out streams that this gateway has to hear about, at most `max`.
    pub fn take(&self, gateway: Gateway, max: usize) -> Vec<StreamId> {
        let mut roster = self.lock();
        let Some(linked) = roster.gateways.get_mut(gateway.0) else { return vec![] };
        if linked.changed.len() <= max {
            return std::mem::take(&mut linked.changed).into_iter().collect();
        }
        let taken: Vec<StreamId> = linked.changed.iter().take(max).copied().collect();
        for stream in &taken {
            linked.changed.remove(stream);
        }
        taken
    }

    fn all(&self) -> Vec<Link> {
        let roster = self.lock();
        roster.gateways.iter().flat_map(|linked| &linked.up).map(|up| up.link.clone()).collect()
    }

    /// Ends every link in order, once its lanes have said everything, and waits for both as long as `patience`.
    pub async fn close_all(&self, code: u16, reason: &str, patience: Duration) {
        let links = self.all();
        let lanes_done = async {
            for link in &links {
                link.lanes_done().await;
            }
        };
        if time::timeout(patience, lanes_done).await.is_err() {
            tracing::debug!("a lane had more to say");
        }
        for link in &links {
            link.close(code, reason);
        }
        let gone = async {
            for link in &links {
                link.gone().await;
            }
        };
        if time::timeout(patience, gone).await.is_err() {
            tracing::debug!("a gateway did not answer our close");
        }
    }
}

/// One link in the roster.
#[derive(Debug)]
pub struct Entry {
    links: Links,
    gateway: Gateway,
    serial: u64,
}

impl Entry {
    /// The gateway has the whole list over this link.
    pub fn set_listed(&self) {
        let mut roster = self.links.lock();
        let up = roster.gateways.get_mut(self.gateway.0).map(|linked| &mut linked.up);
        if let Some(up) = up.and_then(|up| up.iter_mut().find(|up| up.serial == self.serial)) {
            up.is_listed = true;
        }
        drop(roster);
        self.links.poke(self.gateway);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut roster = self.links.lock();
        if let Some(linked) = roster.gateways.get_mut(self.gateway.0) {
            linked.up.retain(|up| up.serial != self.serial);
            if linked.up.is_empty() {
                linked.changed = HashSet::new();
            }
        }
        drop(roster);
        // News may have waited for this one.
        self.links.poke(self.gateway);
    }
}
