//! What connectors tell, applied to the table. A connector changes only what it holds itself (T8).

use super::{
    past::Past,
    table::{Held, HeldOf, State, Table, Was},
};
use crate::{
    connectors::{Home, Standing, Told, ended_by_connector},
    signing::Stated,
};
use postern_ids::{Ended, SessionId};
use std::time::Instant;

/// What follows from one entry.
#[derive(Debug)]
pub(super) enum Follows<D> {
    Nothing,
    /// The connector may not hold it.
    Kill(Ended),
    /// It ended there: record it.
    Ended(Ended, Was<D>),
    /// It goes on elsewhere.
    Moved(Was<D>),
    /// Nobody here knew of it: `Table::adopt` enters it, to be decided.
    Adopt(HeldOf, Box<Stated>),
}

impl<D> Table<D> {
    /// Takes one entry in.
    pub(super) fn told(&mut self, told: Told, now: Instant) -> Follows<D> {
        let Told { home, session, generation, standing, .. } = told;
        if self.is_closed() {
            return Follows::Nothing;
        }
        let Some(held) = self.sessions.get_mut(&session) else {
            return match standing {
                Standing::Detached(stated) => self.unknown(stated, home, generation),
                Standing::Unproven => Follows::Kill(Ended::ResumeFailed),
                Standing::Attached { is_proven: true } => {
                    // What is still to come from another link, that it waits after an older attempt, is over.
                    self.pasts.remember(session, Past::Moved(generation.saturating_sub(1)), now);
                    Follows::Nothing
                }
                // Whoever has it knows; nothing proves that this connector ever had it.
                Standing::Attached { is_proven: false } | Standing::Over(_) => Follows::Nothing,
            };
        };
        if held.of.home != home {
            return match standing {
                Standing::Detached(_) | Standing::Unproven => Follows::Kill(Ended::ResumeFailed),
                Standing::Attached { .. } | Standing::Over(_) => Follows::Nothing,
            };
        }
        match standing {
            Standing::Attached { .. } => self.attached(session, generation, now),
            Standing::Detached(_) => {
                held.waits_there(generation, now);
                Follows::Nothing
            }
            // Its grant may have been signed with a key that is gone; what stands here was decided.
            Standing::Unproven => {
                held.waits_there(0, now);
                Follows::Nothing
            }
            Standing::Over(code) => self.over(session, ended_by_connector(code), now),
        }
    }

    fn unknown(&self, stated: Box<Stated>, home: Home, generation: u32) -> Follows<D> {
        match self.pasts.of(stated.session) {
            // The order to end it did not arrive.
            Some(Past::Ended(ended)) => Follows::Kill(ended),
            // Said before it went on elsewhere.
            Some(Past::Moved(newest)) if generation <= newest => Follows::Nothing,
            // It cannot be watched here, so it may not wait.
            Some(Past::Moved(_)) | None if self.is_full() => Follows::Kill(Ended::Limit),
            Some(Past::Moved(_)) | None => Follows::Adopt(HeldOf::stated(&stated, home), stated),
        }
    }

    fn attached(&mut self, session: SessionId, generation: u32, now: Instant) -> Follows<D> {
        let Some(held) = self.sessions.get_mut(&session) else { return Follows::Nothing };
        match &mut held.state {
            // Its own lane will tell.
            State::Busy { .. } => Follows::Nothing,
            // Said before its lane was lost.
            State::Waiting(_) if generation <= held.generation => {
                held.since = now;
                Follows::Nothing
            }
            State::Waiting(_) => {
                // It may wait again after this very attempt, which is then news.
                self.pasts.remember(session, Past::Moved(generation.saturating_sub(1)), now);
                self.remove(session).map_or(Follows::Nothing, Follows::Moved)
            }
        }
    }

    fn over(&mut self, session: SessionId, ended: Ended, now: Instant) -> Follows<D> {
        match self.sessions.get_mut(&session).map(|held| &mut held.state) {
            Some(State::Waiting(_)) => {
                self.end(session, ended, now).map_or(Follows::Nothing, |was| Follows::Ended(ended, was))
            }
            // Its lane tells; or it is dead, and whoever has it will want to let it wait.
            Some(State::Busy { over, .. }) => {
                *over = Some(ended);
                Follows::Nothing
            }
            None => Follows::Nothing,
        }
    }

    /// Enters a session that waits at its connector. Gives the duty back if it may not wait here.
    pub(super) fn adopt(&mut self, of: HeldOf, generation: u32, duty: D, now: Instant) -> Result<(), D> {
        if self.is_closed() || self.is_full() || self.knows(of.session) || !self.index(&of) {
            return Err(duty);
        }
        let held = Held { of, generation, state: State::Waiting(duty), since: now };
        self.sessions.insert(of.session, held);
        Ok(())
    }
}

impl<D> Held<D> {
    fn waits_there(&mut self, told: u32, now: Instant) {
        match &mut self.state {
            State::Waiting(_) => (self.generation, self.since) = (self.generation.max(told), now),
            State::Busy { elsewhere, .. } if told > self.generation => *elsewhere = Some(told),
            State::Busy { .. } => {}
        }
    }
}
