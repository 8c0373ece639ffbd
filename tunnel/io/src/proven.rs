//! Where hosts proved themselves last: an address to fall back to while their name leads nowhere (F35).

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A program dials the gateways of one installation.
const HOSTS_MAX: usize = 16;

/// A host and port, and the address at which TLS believed that it is this host.
#[derive(Debug)]
struct Found {
    host: String,
    port: u16,
    address: SocketAddr,
}

/// The addresses, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Proven(Mutex<Vec<Found>>);

impl Proven {
    fn lock(&self) -> MutexGuard<'_, Vec<Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host proved itself there.
    pub(crate) fn note(&self, host: &str, port: u16, address: SocketAddr) {
        let mut known = self.lock();
        known.retain(|found| found.host != host || found.port != port);
        if known.len() >= HOSTS_MAX {
            known.remove(0);
        }
        known.push(Found { host: host.to_owned(), port, address });
    }

    /// Where it did so last.
    pub(crate) fn last(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.lock().iter().find(|found| found.host == host && found.port == port).map(|found| found.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_its_latest_address_and_the_oldest_are_forgotten() {
        let (proven, at) = (Proven::default(), |last: u8| SocketAddr::from(([192, 0, 2, last], 443)));
        proven.note("a.example", 443, at(1));
        proven.note("a.example", 443, at(2));
        proven.note("a.example", 8443, at(3));
        assert_eq!(proven.last("a.example", 443), Some(at(2)));
        assert_eq!(proven.last("a.example", 8443), Some(at(3)));
        assert_eq!(proven.last("b.example", 443), None);
        (0..20).for_each(|port| proven.note("b.example", port, at(4)));
        assert_eq!(proven.last("a.example", 443), None);
    }
}
