//! The door: the decision, its record, and only then the lane (D1, D2).

use super::{
    Gateway,
    ask::{Wanted, examine},
    detach,
    held::{Held, PLACE_MAX, Past, State},
    refuse,
};
use crate::{
    gateway::SESSIONS_MAX,
    stage::{EndId, LaneAt, Recordings, Sabotage, Stage},
};
use bytes::Bytes;
use postern_ids::{Ended, Refusal, SessionId};
use postern_tunnel_proto::Open;
use std::time::Duration;

impl Gateway {
    pub(super) fn on_incoming(
        &mut self,
        asker: LaneAt,
        metadata: Bytes,
        early: Bytes,
        stage: &mut Stage,
    ) -> Result<(), String> {
        match examine(self, asker, metadata, early, stage) {
            Ok(wanted) => self.claim(wanted, stage),
            Err(code) => self.turn_away(asker, code, stage),
        }
    }

    fn turn_away(&self, asker: LaneAt, code: u16, stage: &mut Stage) -> Result<(), String> {
        stage.net.say(format_args!("gateway {} turns {asker:?} away: {code}", self.number));
        stage.model.saw("a gateway turned an attempt away");
        refuse(asker, code, &mut stage.net);
        Ok(())
    }

    fn claim(&mut self, wanted: Wanted, stage: &mut Stage) -> Result<(), String> {
        let (asker, session) = (wanted.asker, wanted.facts.session);
        if let Some(Past::Ended(code)) = self.pasts.get(&session) {
            return self.turn_away(asker, *code, stage);
        }
        let known = self.sessions.get(&session);
        if known.is_some_and(|held| wanted.generation <= held.generation) {
            return self.turn_away(asker, Refusal::Superseded.code(), stage);
        }
        if known.is_none() && self.sessions.len() >= SESSIONS_MAX {
            return self.turn_away(asker, Refusal::Limit.code(), stage);
        }
        self.let_go(session, stage);
        let until = stage.net.now + stage.net.rng.micros(100, 4_000);
        let Wanted { asker, facts, home, is_recorded, generation, early } = wanted;
        // Who has a ticket was let in by its connector.
        let asks = u32::from(home.is_some());
        let (since, asks) =
            self.sessions.get(&session).map_or((stage.net.now, asks), |held| (held.since, held.asks));
        let state = State::Recording { asker, early, until };
        let held = Held { facts, home, generation, is_recorded, asks, state, elsewhere: None, since };
        self.sessions.insert(session, held);
        self.lanes.insert(asker, session);
        if let Some(code) = self.no(&facts, stage) {
            return self.cut(session, code, stage);
        }
        Ok(())
    }

    /// A newer attempt is here: older lanes let go, and nothing is recorded of that.
    fn let_go(&mut self, session: SessionId, stage: &mut Stage) {
        let Some(held) = self.sessions.get_mut(&session) else { return };
        let (asker, there) = held.lanes();
        let was_carried = held.is_carried();
        held.state = State::Waiting;
        if let Some((end, lane)) = there {
            stage.net.link(end).reset(lane, detach(Refusal::Superseded.code()));
        }
        if let Some((end, lane)) = asker {
            stage.model.saw("a newer attempt took over at its gateway");
            match was_carried {
                true => stage.net.link(end).reset(lane, detach(Refusal::Superseded.code())),
                false => refuse((end, lane), Refusal::Superseded.code(), &mut stage.net),
            }
        }
        self.lanes.retain(|_, of| *of != session);
    }

    /// What was asked for goes on when its time has come.
    pub(super) fn go_on_with_asked(&mut self, stage: &mut Stage) -> Result<(), String> {
        let now = stage.net.now;
        let due = |held: &Held| match &held.state {
            State::Recording { until, .. } => *until <= now,
            State::Placing { looks_at, .. } => *looks_at <= now,
            State::Opening { .. } | State::Carried { .. } | State::Waiting => false,
        };
        let due: Vec<SessionId> =
            self.sessions.iter().filter(|(_, held)| due(held)).map(|(session, _)| *session).collect();
        due.into_iter().try_for_each(|session| self.go_on(session, stage))
    }

    fn go_on(&mut self, session: SessionId, stage: &mut Stage) -> Result<(), String> {
        let now = stage.net.now;
        let Some(held) = self.sessions.get_mut(&session) else { return Ok(()) };
        match std::mem::replace(&mut held.state, State::Waiting) {
            State::Recording { asker, early, .. } => {
                record(self.number, held, stage)?;
                let until = if held.asks == 0 { now } else { now + PLACE_MAX };
                held.state = State::Placing { asker, early, until, looks_at: now };
                // A right may have ended while this was recorded.
                let facts = held.facts;
                match self.no(&facts, stage) {
                    Some(code) => self.cut(session, code, stage),
                    None => self.go_on(session, stage),
                }
            }
            State::Placing { asker, early, until, .. } => {
                let (facts, home) = (held.facts, held.home);
                let instance = home.map(|home| home.instance);
                let links = self.links_of(facts.connector, instance, &mut stage.net);
                if !links.is_empty() {
                    let end = stage.net.rng.pick(&links);
                    return self.open(session, end, asker, early, stage);
                }
                let is_replaced = !self.links_of(facts.connector, None, &mut stage.net).is_empty();
                self.unplaced(
                    session,
                    State::Placing { asker, early, until, looks_at: now },
                    is_replaced,
                    stage,
                )
            }
            state => {
                held.state = state;
                Ok(())
            }
        }
    }

    /// There is no link to open a lane on.
    fn unplaced(
        &mut self,
        session: SessionId,
        state: State,
        is_replaced: bool,
        stage: &mut Stage,
    ) -> Result<(), String> {
        let State::Placing { asker, early, until, .. } = state else { return Ok(()) };
        let now = stage.net.now;
        let Some(held) = self.sessions.get_mut(&session) else { return Ok(()) };
        if is_replaced || now < until {
            let looks_at = now + Duration::from_millis(20);
            held.state = State::Placing { asker, early, until, looks_at };
            return match is_replaced {
                // The process that held the stream is gone, its target connection too.
                true => self.cut(session, Ended::ConnectorLost.code(), stage),
                false => Ok(()),
            };
        }
        self.lanes.remove(&asker);
        stage.model.saw("no link of the connector was there");
        refuse(asker, Refusal::TryNext.code(), &mut stage.net);
        if held.asks == 0 { self.end(session, Ended::NotOpened.code(), stage) } else { Ok(()) }
    }

    fn open(
        &mut self,
        session: SessionId,
        end: EndId,
        asker: LaneAt,
        early: Bytes,
        stage: &mut Stage,
    ) -> Result<(), String> {
        let Some(held) = self.sessions.get_mut(&session) else { return Ok(()) };
        let metadata = held.facts.grant(stage.net.now);
        Recordings::keep(&mut stage.recordings.passed, &metadata, &early);
        let lane = stage.net.link(end).open(Open { flow: 1, metadata, early });
        let lane = lane.map_err(|error| format!("D13: a link that takes lanes says: {error}"))?;
        held.asks += 1;
        held.home = self.peers.get(&end).and_then(super::Peer::home);
        held.state = State::Opening { asker, there: (end, lane) };
        self.lanes.insert((end, lane), session);
        Ok(())
    }

    pub(super) fn on_opened(&mut self, there: LaneAt, stage: &mut Stage) {
        let held = self.lanes.get(&there).and_then(|session| self.sessions.get_mut(session));
        let Some(held) = held else { return };
        let State::Opening { asker, .. } = held.state else { return };
        let instance = held.home.map_or([0; 16], |home| home.instance);
        held.state = State::Carried { asker, there };
        // It is there: an answer to a later question cannot undo that.
        held.asks += 1;
        // A client that is gone says so itself.
        let _gone = stage.net.link(asker.0).accept(asker.1, held.facts.ticket(instance));
        self.move_bytes(there, &mut stage.net);
    }

    pub(super) fn on_refused(&mut self, there: LaneAt, code: u16, stage: &mut Stage) -> Result<(), String> {
        let Some(session) = self.lanes.remove(&there) else { return Ok(()) };
        let Some(held) = self.sessions.get_mut(&session) else { return Ok(()) };
        let (Some(asker), _) = held.lanes() else { return Ok(()) };
        self.lanes.remove(&asker);
        held.state = State::Waiting;
        refuse(asker, code, &mut stage.net);
        if held.asks == 1 {
            let ended = Ended::NotOpened.code();
            return match code == Refusal::Superseded.code() {
                // The stream is another session's, or another lane came with this grant: what there may be of it is over.
                true => self.cut(session, ended, stage),
                false => self.end(session, ended, stage),
            };
        }
        match (Ended::from_code(code), held.elsewhere) {
            // It goes on elsewhere, or waits again after a newer attempt.
            (None, None) if code == Refusal::Superseded.code() => {
                let generation = held.generation;
                self.leave(session, generation, stage);
                Ok(())
            }
            (None, Some(newer)) => {
                (held.generation, held.since) = (held.generation.max(newer), stage.net.now);
                Ok(())
            }
            // Not who they say they are, or not now: that says nothing about the session.
            (None | Some(Ended::Limit), _) => Ok(()),
            (Some(_), _) => self.end(session, code, stage),
        }
    }
}

fn record(gateway: usize, held: &mut Held, stage: &mut Stage) -> Result<(), String> {
    let session = held.facts.session;
    if stage.sabotages(Sabotage::AdmitsUnrecorded) {
        return Ok(());
    }
    if held.is_recorded {
        stage.model.saw("a resume was recorded");
        return stage.model.store.resumed(session, gateway, held.generation);
    }
    held.is_recorded = true;
    stage.model.store.admit(session, held.facts.stream, gateway, held.generation);
    Ok(())
}
