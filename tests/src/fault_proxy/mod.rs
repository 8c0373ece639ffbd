//! A TCP proxy that a test puts into the way of something, to break that way on demand, with faults that a seed repeats.
//!
//! It sees connections, not packets: what loss does to TCP (late, in order) it imitates; real packet loss is what a
//! [`Namespace`](crate::Namespace) is for.

mod connection;
mod delivery;
mod path;
mod pump;
mod serve;

pub use path::{Path, Way};

use crate::chance::SharedChance;
use anyhow::Result;
use connection::{Connection, Doom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How often a held connection looks whether something changed: the time until a fault shows.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One end of the proxied connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who dialed the proxy.
    Near,
    /// Whom the proxy dialed.
    Far,
}

/// A proxy on a port of this machine.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the proxy and its connections look at.
#[derive(Debug)]
struct Shared {
    orders: Mutex<Orders>,
    connections: Mutex<Vec<Weak<Connection>>>,
    accepted: AtomicU64,
    chance: SharedChance,
}

/// How things are ordered to be at this moment.
#[derive(Debug, Clone, Default)]
struct Orders {
    leads_to: Option<SocketAddr>,
    source: Option<Ipv4Addr>,
    up: Path,
    down: Path,
    is_refusing: bool,
    cut_after: Option<u64>,
    /// Connections whose near side once said this fall silent, whatever else is ordered.
    silenced: Option<Vec<u8>>,
}

impl FaultProxy {
    /// Leads to an address, without faults; `seed` decides jitter and loss.
    pub fn start(leads_to: SocketAddr, seed: u64) -> Result<Self> {
        let proxy = Self::unconnected(Ipv4Addr::LOCALHOST, seed)?;
        proxy.lead_to(leads_to);
        Ok(proxy)
    }

    /// Listens on an address of this machine and leads nowhere until it is told: connections are reset as they come.
    pub fn unconnected(address: Ipv4Addr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            orders: Mutex::default(),
            connections: Mutex::default(),
            accepted: AtomicU64::new(0),
            chance: SharedChance::new(seed),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                accepting.accept(near);
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it ever accepted.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.living().len()
    }

    /// Leads new connections to another address.
    pub fn lead_to(&self, address: SocketAddr) {
        self.shared.orders().leads_to = Some(address);
    }

    /// Makes new connections come from another address of this machine, such as 127.0.0.2.
    pub fn come_from(&self, source: Ipv4Addr) {
        self.shared.orders().source = Some(source);
    }

    /// Changes the conditions of one way or both, existing connections included.
    pub fn set(&self, way: Way, path: Path) {
        let mut orders = self.shared.orders();
        if way != Way::Down {
            orders.up = path.clone();
        }
        if way != Way::Up {
            orders.down = path;
        }
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        let mut orders = self.shared.orders();
        let (leads_to, source) = (orders.leads_to, orders.source);
        *orders = Orders { leads_to, source, ..Orders::default() };
    }

    /// Resets connections as they come, and those that exist.
    pub fn refuse(&self) {
        self.shared.orders().is_refusing = true;
        self.reset();
    }

    /// Resets each new connection when so many bytes have passed it, both directions together.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.orders().cut_after = Some(bytes);
    }

    /// Resets every existing connection, towards both sides.
    pub fn reset(&self) {
        self.shared.doom(Doom::Reset);
    }

    /// Lets every existing connection fall silent for good, as a NAT does that forgot them: no end is seen on either side.
    /// New connections pass.
    pub fn freeze(&self) {
        self.shared.doom(Doom::Silence);
    }

    /// One side of every existing connection is reset, the other is left half-open: its peer vanished without a word.
    pub fn vanish(&self, side: Side) {
        self.shared.doom(Doom::Vanish(side));
    }

    /// Silences those connections whose near side said `text`; the others are left alone.
    pub fn silence_whoever_said(&self, text: &str) {
        self.shared.orders().silenced = Some(text.as_bytes().to_vec());
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.refuse();
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn living(&self) -> Vec<Arc<Connection>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.strong_count() > 0);
        connections.iter().filter_map(Weak::upgrade).collect()
    }

    fn enter(&self, connection: &Arc<Connection>) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(connection));
        // A refusal may have come between its look and its entry.
        if self.orders().is_refusing {
            connection.doom(Doom::Reset);
        }
    }

    fn doom(&self, doom: Doom) {
        for connection in self.living() {
            connection.doom(doom);
        }
    }

    fn accept(self: &Arc<Self>, near: TcpStream) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            // An error is usual: while a gateway is down its port refuses, and so do we.
            let _ = serve::serve(near, &shared);
        });
    }

    fn path(&self, way: Way) -> Path {
        let orders = self.orders();
        if way == Way::Up { orders.up.clone() } else { orders.down.clone() }
    }
}
