//! The connector's own veto: which targets it dials at all, whatever a gateway asks for. The list starts empty.

mod asked;
mod entry;

pub use asked::{HostName, Target, TargetError, TargetHost};
pub use entry::{AllowError, Entry};

use crate::address::{self, Special};
use entry::Host;
use std::net::SocketAddr;

/// Why the allow-list refuses a target; the text names the line that would admit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// No entry covers the target.
    #[error("{target} is not on the connector's allow-list; to admit it add: {line}")]
    NotListed {
        /// The target as asked for.
        target: String,
        /// The missing line.
        line: String,
    },
    /// An address that wide entries never cover.
    #[error("{address} is {kind} and needs a line of its own on the connector's allow-list: {line}")]
    Special {
        /// The address found.
        address: SocketAddr,
        /// What makes it special.
        kind: Special,
        /// The missing line.
        line: String,
    },
}

/// The targets that this connector dials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

impl AllowList {
    /// The entries in the order given.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Adds what is not there yet.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if !self.0.contains(&entry) {
                self.0.push(entry);
            }
        }
    }

    /// Checks the target before anything is resolved: a name that neither an entry names nor any network could admit
    /// is refused without asking a name server.
    pub fn check_target(&self, target: &Target) -> Result<(), NotAllowed> {
        match &target.host {
            TargetHost::Ip(ip) => self.check_address(target, SocketAddr::new(*ip, target.port)),
            TargetHost::Name(name) => {
                let hopeful = |entry: &Entry| {
                    entry.port.admits(target.port)
                        && match &entry.host {
                            Host::Net(_) => true,
                            Host::Name(listed) => listed == name,
                        }
                };
                if self.0.iter().any(hopeful) { Ok(()) } else { Err(not_listed(target)) }
            }
        }
    }

    /// Checks one address that the target stands for; every address of a name has to pass.
    pub fn check_address(&self, target: &Target, address: SocketAddr) -> Result<(), NotAllowed> {
        let ip = address.ip();
        let special = address::special(ip);
        let admits = |entry: &Entry| {
            entry.port.admits(address.port())
                && match (&entry.host, &target.host, special) {
                    (Host::Net(net), _, None) => net.contains(&ip),
                    (Host::Net(net), _, Some(special)) => net.contains(&ip) && special.is_named_by(net),
                    (Host::Name(listed), TargetHost::Name(name), None) => listed == name,
                    (Host::Name(_), _, _) => false,
                }
        };
        if self.0.iter().any(admits) {
            return Ok(());
        }
        match special {
            Some(special) => Err(NotAllowed::Special { address, kind: special, line: address.to_string() }),
            None => Err(not_listed(target)),
        }
    }
}

impl FromIterator<Entry> for AllowList {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut list = Self::default();
        list.extend(entries);
        list
    }
}

fn not_listed(target: &Target) -> NotAllowed {
    NotAllowed::NotListed { target: target.to_string(), line: target.to_string() }
}
