//! What may live: the policy as far as this gateway knows it, and time.

use super::{Gateway, held::Held};
use crate::{
    stage::{Sabotage, Stage},
    words::Facts,
};
use postern_ids::{Ended, SessionId};

impl Gateway {
    /// Why a session may not go on; `None` when it may.
    pub(super) fn no(&self, facts: &Facts, stage: &Stage) -> Option<u16> {
        let known = &stage.model.deadlines.denied[..self.revision];
        if known.contains(&facts.stream) {
            return Some(Ended::Revoked.code());
        }
        let watches = !stage.sabotages(Sabotage::IgnoresExpiry);
        facts.expires.filter(|at| watches && *at <= stage.net.now).map(|_| Ended::Expired.code())
    }

    /// Takes in what changed, and decides every session again: those too that wait for their client.
    pub(super) fn look_at_rights(&mut self, stage: &mut Stage) -> Result<(), String> {
        if self.looks_at <= stage.net.now {
            self.revision = stage.model.deadlines.denied.len();
            self.looks_at = stage.net.now + stage.net.rng.millis(50, 1_000);
        }
        let overlooks = stage.sabotages(Sabotage::ForgetsThoseWhoWait);
        let looks_at = |held: &Held| !(overlooks && held.is_waiting());
        let over = self.sessions.iter().filter(|(_, held)| looks_at(held));
        let over = over.filter_map(|(session, held)| Some((*session, self.no(&held.facts, stage)?)));
        let over: Vec<(SessionId, u16)> = over.collect();
        for (session, code) in over {
            if self.sessions.get(&session).is_some_and(Held::is_waiting) {
                stage.model.saw("a session was cut while it waited");
            }
            self.cut(session, code, stage)?;
        }
        Ok(())
    }
}
