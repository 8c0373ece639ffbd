//! What connectors tell of the streams that they hold. A connector changes only what it holds itself (T8).

use super::{
    Gateway, Home, Peer,
    held::{Held, Past, State},
};
use crate::{
    gateway::SESSIONS_MAX,
    stage::{EndId, Sabotage, Stage},
    words::Facts,
};
use bytes::Bytes;
use postern_ids::{Ended, SessionId};
use postern_tunnel_proto::inventory::{self, Entry};
use std::time::Instant;

impl Gateway {
    pub(super) fn on_inventory(
        &mut self,
        end: EndId,
        part: Bytes,
        last: bool,
        stage: &mut Stage,
    ) -> Result<(), String> {
        let Some(Peer::Connector { home, .. }) = self.peers.get(&end) else { return Ok(()) };
        let home = *home;
        for entry in inventory::entries(part) {
            let entry = entry.map_err(|_| "D13: a link let a malformed inventory pass")?;
            if let Some(Peer::Connector { named, .. }) = self.peers.get_mut(&end) {
                named.insert(entry.session);
            }
            if !stage.sabotages(Sabotage::IgnoresInventory) {
                self.on_entry(home, &entry, stage)?;
            }
        }
        let listed = match self.peers.get_mut(&end) {
            Some(Peer::Connector { is_listed, .. }) => {
                last && !std::mem::replace(is_listed, *is_listed || last)
            }
            Some(Peer::Client(_)) | None => false,
        };
        if listed { self.on_listed(end, stage) } else { Ok(()) }
    }

    fn on_entry(&mut self, home: Home, entry: &Entry, stage: &mut Stage) -> Result<(), String> {
        let (session, generation, now) = (entry.session, entry.generation, stage.net.now);
        let Some(held) = self.sessions.get_mut(&session) else {
            return match entry.state {
                inventory::State::Detached => self.on_unknown(home, entry, stage),
                inventory::State::Attached => {
                    let heard = self.heard.entry((session, home)).or_default();
                    *heard = generation.max(*heard);
                    Ok(())
                }
                // Whoever has it knows; nothing proves that this connector ever had it.
                inventory::State::Over(_) => Ok(()),
            };
        };
        if held.home != Some(home) {
            return Ok(());
        }
        if !held.is_waiting() {
            let is_newer = entry.state == inventory::State::Detached && generation > held.generation;
            held.elsewhere = if is_newer { Some(generation) } else { held.elsewhere };
            return Ok(());
        }
        match entry.state {
            inventory::State::Attached if generation > held.generation => {
                self.leave(session, generation - 1, stage);
                Ok(())
            }
            // Said before its lane was lost.
            inventory::State::Attached => Ok(()),
            inventory::State::Detached => {
                (held.generation, held.since) = (held.generation.max(generation), now);
                Ok(())
            }
            inventory::State::Over(code) => {
                stage.model.saw("a connector told an end");
                self.end(session, code, stage)
            }
        }
    }

    /// A session that waits at its connector and that nobody here knows: it is decided at once.
    fn on_unknown(&mut self, home: Home, entry: &Entry, stage: &mut Stage) -> Result<(), String> {
        let (session, generation) = (entry.session, entry.generation);
        let facts = Facts::read_grant(&entry.grant).map(|(facts, _)| facts).filter(|facts| {
            facts.connector == home.connector && facts.session == session && facts.stream == entry.stream
        });
        let kill = |code: u16, gateway: &Self, stage: &mut Stage| {
            let links = gateway.peers.iter().filter(|(_, peer)| peer.home() == Some(home));
            links.for_each(|(end, _)| stage.net.link(*end).kill(session, code));
            Ok(())
        };
        let Some(facts) = facts else {
            stage.model.saw("an entry without a good grant");
            return kill(Ended::ResumeFailed.code(), self, stage);
        };
        if self.heard.get(&(session, home)).is_some_and(|newer| generation < *newer) {
            stage.model.saw("news overtook older news");
            return Ok(());
        }
        match self.pasts.get(&session) {
            Some(Past::Ended(code)) => return kill(*code, self, stage),
            // Said before it went on elsewhere.
            Some(Past::Moved(newest)) if generation <= *newest => return Ok(()),
            Some(Past::Moved(_)) | None => {}
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return kill(Ended::Limit.code(), self, stage);
        }
        stage.model.saw("a gateway heard of a session that waits");
        self.sessions.insert(session, adopted(facts, home, generation, stage.net.now));
        let Some(code) = self.no(&facts, stage) else { return Ok(()) };
        stage.model.saw("a session was killed through an inventory");
        self.cut(session, code, stage)
    }

    /// The first list of a link is complete: what its process does not name, it does not hold. Another process of the same
    /// connector holds nothing any more.
    fn on_listed(&mut self, end: EndId, stage: &mut Stage) -> Result<(), String> {
        let Some(Peer::Connector { home, named, since, .. }) = self.peers.get(&end) else { return Ok(()) };
        let gone = |held: &Held| {
            let its_home = held.home.filter(|of| of.connector == home.connector && held.is_waiting())?;
            match its_home.instance == home.instance {
                true if held.since < *since && !named.contains(&held.facts.session) => Some(Ended::Lost),
                true => None,
                false => Some(Ended::ConnectorLost),
            }
        };
        let gone: Vec<(SessionId, Ended)> =
            self.sessions.iter().filter_map(|(session, held)| Some((*session, gone(held)?))).collect();
        gone.into_iter().try_for_each(|(session, ended)| self.cut(session, ended.code(), stage))
    }
}

fn adopted(facts: Facts, home: Home, generation: u32, now: Instant) -> Held {
    Held {
        facts,
        home: Some(home),
        generation,
        is_recorded: true,
        asks: 2,
        state: State::Waiting,
        elsewhere: None,
        since: now,
    }
}

impl Peer {
    pub(super) fn home(&self) -> Option<Home> {
        match self {
            Self::Connector { home, .. } => Some(*home),
            Self::Client(_) => None,
        }
    }
}
