//! A gateway: it admits, records, and joins a client's lane to a lane of the connector that holds the stream. It knows
//! sessions and lanes; the records inside the lanes it passes on unread.

mod admit;
mod ask;
mod end;
mod held;
mod inventory;
mod lanes;
mod rights;

use crate::stage::{EndId, LaneAt, Net, Node, Stage};
use held::{Held, Past};
use postern_ids::{Ended, SessionId};
use postern_tunnel_proto::{Event, Reset, ResetClass};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Sessions that are held at once; more are refused with `limit`.
const SESSIONS_MAX: usize = 64;

/// A process of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Home {
    connector: Node,
    instance: [u8; 16],
}

enum Peer {
    Client(Node),
    /// A connector, and the sessions that its first list named so far; lanes are opened when that is complete.
    Connector {
        home: Home,
        since: Instant,
        named: BTreeSet<SessionId>,
        is_listed: bool,
    },
}

pub(crate) struct Gateway {
    number: usize,
    /// When it starts again; `None` while it runs.
    pub(crate) down_until: Option<Instant>,
    peers: BTreeMap<EndId, Peer>,
    sessions: BTreeMap<SessionId, Held>,
    /// Whose lanes these are.
    lanes: BTreeMap<LaneAt, SessionId>,
    pasts: BTreeMap<SessionId, Past>,
    /// Attempts that a process said carry sessions elsewhere: what comes late on a slower link is older news.
    heard: BTreeMap<(SessionId, Home), u32>,
    /// The changes of policy that it has taken in, and when it looks for more.
    revision: usize,
    looks_at: Instant,
    /// When it records what it left unfinished before it started.
    sweeps_at: Option<Instant>,
    /// Sessions that went on elsewhere, or so it was told, and when that can be checked.
    left: BTreeMap<SessionId, Instant>,
}

impl Gateway {
    pub(crate) fn new(number: usize, now: Instant) -> Self {
        Self {
            number,
            down_until: None,
            peers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lanes: BTreeMap::new(),
            pasts: BTreeMap::new(),
            heard: BTreeMap::new(),
            revision: 0,
            looks_at: now,
            sweeps_at: None,
            left: BTreeMap::new(),
        }
    }

    pub(crate) fn node(&self) -> Node {
        Node::Gateway(self.number)
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: Event, stage: &mut Stage) -> Result<(), String> {
        match event {
            Event::Established { .. } => self.on_link(end, stage),
            Event::Incoming { lane, metadata, early, .. } => {
                self.on_incoming((end, lane), metadata, early, stage)?;
            }
            Event::Opened { lane, .. } => self.on_opened((end, lane), stage),
            Event::Refused { lane, code, .. } => self.on_refused((end, lane), code, stage)?,
            Event::Readable(lane) | Event::Writable(lane) => self.move_bytes((end, lane), &mut stage.net),
            Event::Reset { lane, reset } => self.on_reset((end, lane), reset, stage)?,
            Event::Done(lane) => self.on_done((end, lane), stage)?,
            Event::Inventory { entries, last } => self.on_inventory(end, entries, last, stage)?,
            Event::Closed(_) => self.on_link_lost(end, stage)?,
            // A connector has nothing to kill here: what it holds it ends itself.
            _ => {}
        }
        Ok(())
    }

    fn on_link(&mut self, end: EndId, stage: &mut Stage) {
        let (node, instance) = stage.net.dialer(end);
        let peer = match node {
            Node::Connector | Node::HostileConnector => {
                let home = Home { connector: node, instance };
                // The list was put together after the dial, and may have waited here for as long as this process stood still.
                let since = stage.net.dialed(end);
                Peer::Connector { home, since, named: BTreeSet::new(), is_listed: false }
            }
            Node::Client | Node::HostileClient | Node::Gateway(_) => Peer::Client(node),
        };
        self.peers.insert(end, peer);
    }

    /// Links of a connector that lanes can be opened on; of one process of it, or of any.
    fn links_of(&self, connector: Node, instance: Option<[u8; 16]>, net: &mut Net) -> Vec<EndId> {
        let links = self.peers.iter().filter_map(|(end, peer)| match peer {
            Peer::Connector { home, is_listed: true, .. }
                if home.connector == connector && instance.is_none_or(|wanted| wanted == home.instance) =>
            {
                Some(*end)
            }
            Peer::Connector { .. } | Peer::Client(_) => None,
        });
        let links: Vec<EndId> = links.collect();
        links.into_iter().filter(|end| net.link(*end).takes_lanes()).collect()
    }

    /// What is due now.
    pub(crate) fn drive(&mut self, stage: &mut Stage) -> Result<(), String> {
        if self.down_until.is_some_and(|until| until > stage.net.now) {
            return Ok(());
        }
        if self.down_until.take().is_some() {
            // Links that a process before this one left behind.
            stage.net.kill(self.node(), false);
        }
        self.look_at_rights(stage)?;
        self.go_on_with_asked(stage)?;
        self.end_forgotten(stage)?;
        if self.sessions.len() > SESSIONS_MAX || self.lanes.len() > 2 * self.sessions.len() {
            return Err(format!("D13: {} sessions, {} lanes", self.sessions.len(), self.lanes.len()));
        }
        Ok(())
    }

    /// The process dies; its state with it.
    pub(crate) fn kill(&mut self, until: Instant, silent: bool, stage: &mut Stage) {
        stage.net.kill(self.node(), silent);
        self.start_at(until, stage);
    }

    /// SIGTERM: says so, detaches everything at once, and records no end of what goes on elsewhere.
    pub(crate) fn drain(&mut self, until: Instant, stage: &mut Stage) {
        let ends = stage.net.live_ends(Some(self.node()));
        for &end in &ends {
            stage.net.link(end).go_away(Ended::GatewayStopped.code(), "restart");
        }
        for &(end, lane) in self.lanes.keys() {
            stage.net.link(end).reset(lane, detach(Ended::GatewayStopped.code()));
        }
        // What is said last goes out before the process is gone.
        for end in ends {
            stage.net.link(end).close(Ended::GatewayStopped.code(), "restart");
        }
        self.start_at(until, stage);
    }

    /// Another process starts then, and knows nothing.
    fn start_at(&mut self, at: Instant, stage: &Stage) {
        *self = Self {
            down_until: Some(at),
            looks_at: at,
            sweeps_at: Some(at + stage.terms.window + held::SWEEP_AFTER),
            ..Self::new(self.number, stage.net.now)
        };
    }

    pub(crate) fn next(&self, stage: &Stage) -> Option<Instant> {
        let held = self.sessions.values().map(|held| held.due(stage.terms.window));
        let own = [self.down_until, self.sweeps_at, Some(self.looks_at), self.left.values().min().copied()];
        held.chain(own.into_iter().flatten()).filter(|at| *at > stage.net.now).min()
    }

    /// For people.
    pub(crate) fn sessions(&self) -> String {
        format!("{:?}, lanes {:?}", self.sessions, self.lanes)
    }

    /// Sessions and lanes that it holds.
    pub(crate) fn holds(&self) -> (usize, usize) {
        (self.sessions.len(), self.lanes.len())
    }
}

fn detach(code: u16) -> Reset {
    Reset { code, class: ResetClass::Detach }
}

fn refuse((end, lane): LaneAt, code: u16, net: &mut Net) {
    net.link(end).refuse(lane, code, b"");
}
