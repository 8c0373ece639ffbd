//! How a session ends at a gateway: cut first, recorded after, once.

use super::{
    Gateway,
    held::{Past, SWEEP_AFTER},
    refuse,
};
use crate::{stage::Stage, words::Facts};
use postern_ids::{Ended, SessionId};
use postern_tunnel_proto::{Reset, ResetClass};

impl Gateway {
    /// Ends a session in whatever state it is: its lanes, what its connector holds, and its record.
    pub(super) fn cut(&mut self, session: SessionId, code: u16, stage: &mut Stage) -> Result<(), String> {
        let Some(held) = self.sessions.get(&session) else { return Ok(()) };
        let (asker, there) = held.lanes();
        let reset = Reset { code, class: ResetClass::End };
        // A lane that is reset before its connector took it says nothing to the stream: Kill does.
        for (end, peer) in &self.peers {
            if held.home.is_some() && peer.home() == held.home {
                stage.net.link(*end).kill(session, code);
            }
        }
        if let Some((end, lane)) = there {
            stage.net.link(end).reset(lane, reset);
        }
        match asker {
            Some((end, lane)) if held.is_carried() => stage.net.link(end).reset(lane, reset),
            Some(asker) => refuse(asker, code, &mut stage.net),
            None => {}
        }
        self.end(session, code, stage)
    }

    /// The session is over: whoever observed it records it.
    pub(super) fn end(&mut self, session: SessionId, code: u16, stage: &mut Stage) -> Result<(), String> {
        let Some(held) = self.sessions.remove(&session) else { return Ok(()) };
        self.lanes.retain(|_, of| *of != session);
        self.pasts.insert(session, Past::Ended(code));
        stage.net.say(format_args!("gateway {} records the end of {session}: {code}", self.number));
        if !held.is_recorded {
            return Ok(());
        }
        stage.model.store.end(session, code, held.generation, stage.net.now)
    }

    /// It goes on elsewhere: nothing is recorded.
    pub(super) fn leave(&mut self, session: SessionId, generation: u32, stage: &mut Stage) {
        self.sessions.remove(&session);
        self.lanes.retain(|_, of| *of != session);
        self.pasts.insert(session, Past::Moved(generation));
        self.left.insert(session, stage.net.now + stage.terms.window + SWEEP_AFTER);
        stage.model.saw("a gateway let a session go on elsewhere");
    }

    /// Sessions that nobody came back to, and those that this node left unfinished before it started.
    pub(super) fn end_forgotten(&mut self, stage: &mut Stage) -> Result<(), String> {
        let (now, window) = (stage.net.now, stage.terms.window);
        let lost =
            self.sessions.iter().filter(|(_, held)| held.is_waiting() && held.is_lost_at(window) <= now);
        let lost: Vec<(SessionId, Facts)> = lost.map(|(session, held)| (*session, held.facts)).collect();
        for (session, facts) in lost {
            stage.model.saw("a gateway gave up a session");
            if !stage.net.is_running(facts.principal) {
                // Who sleeps longer than its window comes back to this, although it has missed its lane only now.
                stage.model.excuse(facts.stream, Ended::Lost.code());
            }
            self.cut(session, Ended::Lost.code(), stage)?;
        }
        let started = self.sweeps_at.take_if(|at| *at <= now).is_some();
        for (session, generation) in stage.model.store.unfinished(self.number) {
            let is_left = self.left.get(&session).is_some_and(|at| *at <= now);
            if (started || is_left) && !self.sessions.contains_key(&session) {
                stage.model.saw("a sweep recorded an end");
                stage.model.store.end(session, Ended::Lost.code(), generation, now)?;
            }
        }
        self.left.retain(|_, at| *at > now);
        Ok(())
    }
}
