//! The store that the gateways share, as far as it decides something: what was admitted (D1), and how it ended (D14).

use super::{Ledger, ledger::Lie};
use postern_ids::{SessionId, StreamId};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) stream: StreamId,
    pub(crate) owner: usize,
    pub(crate) generation: u32,
    pub(crate) ended: Option<(u16, Instant)>,
    /// Every end that a gateway told, whether it counts or not.
    pub(super) told: BTreeSet<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) sessions: BTreeMap<SessionId, Record>,
    /// A store that takes every end: sabotage.
    pub(crate) takes_every_end: bool,
}

impl Store {
    /// `session.started` is on disk.
    pub(crate) fn admit(&mut self, session: SessionId, stream: StreamId, owner: usize, generation: u32) {
        let record = Record { stream, owner, generation, ended: None, told: BTreeSet::new() };
        assert!(self.sessions.insert(session, record).is_none(), "two sessions with one id");
    }

    /// `session.resumed` is on disk: the session moves, unless a newer attempt did.
    pub(crate) fn resumed(
        &mut self,
        session: SessionId,
        owner: usize,
        generation: u32,
    ) -> Result<(), String> {
        let record = self.sessions.get_mut(&session);
        let record = record.ok_or_else(|| format!("D1: {session} is resumed and was never admitted"))?;
        if generation > record.generation {
            (record.owner, record.generation) = (owner, generation);
        }
        Ok(())
    }

    /// The end counts if there is none yet, and nobody resumed the session since.
    pub(crate) fn end(
        &mut self,
        session: SessionId,
        code: u16,
        generation: u32,
        now: Instant,
    ) -> Result<(), String> {
        let Some(record) = self.sessions.get_mut(&session) else {
            return Err(format!("D1: {session} ends and was never admitted"));
        };
        if self.takes_every_end && record.ended.is_some_and(|(before, _)| before != code) {
            return Err(format!("D14: {session} ends again, with {code}: {record:?}"));
        }
        record.told.insert(code);
        if record.ended.is_none() && generation >= record.generation {
            record.ended = Some((code, now));
        }
        Ok(())
    }

    /// Whether some gateway ended it so.
    pub(super) fn was_ended(&self, session: Option<SessionId>, code: u16) -> bool {
        let record = session.and_then(|session| self.sessions.get(&session));
        record.is_some_and(|record| record.told.contains(&code))
    }

    /// A gateway that lies can open a session to a connector that never had it, when the honest ones have ended it and done
    /// what they can: until it lets go, and they hear of it.
    pub(super) fn lie_about(&self, ledger: &Ledger) -> Option<Lie> {
        ledger.lie.filter(|_| ledger.session.is_some_and(|session| self.end_of(session).is_some()))
    }

    pub(crate) fn end_of(&self, session: SessionId) -> Option<(u16, Instant)> {
        self.sessions.get(&session)?.ended
    }

    /// What a gateway that starts finds unfinished under its name.
    pub(crate) fn unfinished(&self, owner: usize) -> Vec<(SessionId, u32)> {
        let all = self.sessions.iter().filter(|(_, record)| record.owner == owner && record.ended.is_none());
        all.map(|(session, record)| (*session, record.generation)).collect()
    }

    /// D1: this attempt of this session was admitted and recorded.
    pub(super) fn is_admitted(&self, session: SessionId, generation: u32) -> Result<(), String> {
        match self.sessions.get(&session) {
            Some(record) if generation <= record.generation => Ok(()),
            other => Err(format!("D1: attempt {generation} of {session} is carried, recorded: {other:?}")),
        }
    }
}
