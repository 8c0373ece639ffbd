//! A lane comes: who may have it, and what it is told otherwise.

use super::{Connector, STREAMS_MAX, held::Held};
use crate::{
    ends::{carrier::Carrier, write_all},
    model::Side,
    stage::{LaneAt, Node, Sabotage, Stage},
    words::{Facts, is_proven},
};
use bytes::Bytes;
use postern_ids::{Ended, Refusal, SessionId, StreamId};
use postern_tunnel_proto::{
    Reset, ResetClass,
    stream::{Attach, Intake, LaneEnd, PROOF_FAILED, SUPERSEDED, Stream},
};
use std::time::Instant;

/// A lane that waits for its answer.
pub(super) struct Arrival {
    pub(super) at: LaneAt,
    attach: Attach,
    /// What followed the Attach.
    rest: Bytes,
    facts: Facts,
    grant: Bytes,
}

/// A target that is being dialed.
pub(super) struct Dial {
    pub(super) done_at: Instant,
    pub(super) lanes: Vec<Arrival>,
}

impl Connector {
    pub(super) fn on_incoming(
        &mut self,
        at: LaneAt,
        grant: &Bytes,
        early: &Bytes,
        stage: &mut Stage,
    ) -> Result<(), String> {
        match examine(at, grant, early, stage.net.now) {
            Ok(arrival) => self.on_arrival(arrival, stage),
            Err(code) => say_no(at, code, stage),
        }
    }

    fn on_arrival(&mut self, arrival: Arrival, stage: &mut Stage) -> Result<(), String> {
        let id = arrival.facts.stream;
        let dials_again = stage.sabotages(Sabotage::DialsTwice) && !arrival.attach.resume_only;
        if self.held.contains_key(&id) && !dials_again {
            return self.take_over(arrival, stage);
        }
        if let Some(dial) = self.dials.get_mut(&id) {
            dial.lanes.push(arrival);
            return Ok(());
        }
        if arrival.attach.resume_only {
            return say_no(arrival.at, Ended::ResumeFailed.code(), stage);
        }
        if self.held.len() + self.dials.len() >= STREAMS_MAX {
            return say_no(arrival.at, Refusal::Limit.code(), stage);
        }
        let done_at = stage.net.now + stage.net.rng.micros(0, 80_000);
        self.dials.insert(id, Dial { done_at, lanes: vec![arrival] });
        Ok(())
    }

    /// Targets that were dialed: the first lane makes the stream, the others take it over.
    pub(super) fn finish_dials(&mut self, stage: &mut Stage) -> Result<(), String> {
        let done = |dial: &Dial| dial.done_at <= stage.net.now;
        let done: Vec<StreamId> =
            self.dials.iter().filter(|(_, dial)| done(dial)).map(|(id, _)| *id).collect();
        for id in done {
            let lanes = self.dials.remove(&id).map(|dial| dial.lanes).unwrap_or_default();
            for arrival in lanes {
                match self.held.contains_key(&id) && !stage.sabotages(Sabotage::DialsTwice) {
                    true => self.take_over(arrival, stage)?,
                    false => self.hold(arrival, stage)?,
                }
            }
        }
        Ok(())
    }

    fn hold(&mut self, arrival: Arrival, stage: &mut Stage) -> Result<(), String> {
        let Arrival { at, attach, rest, facts, grant } = arrival;
        let id = attach.stream;
        let stream = match Stream::connector(&attach, self.instance, self.config.clone(), stage.net.now) {
            Ok(stream) => stream,
            Err(code) => return say_no(at, code, stage),
        };
        if stage.net.link(at.0).accept(at.1, Bytes::new()).is_err() {
            // It was reset in the same message.
            return Ok(());
        }
        stage.model.dialed(id, facts.session, self.instance)?;
        stage.taken(at, &attach, facts.session)?;
        let app = self.targets.get(&id).cloned().ok_or("a stream without a target")?;
        let mut carrier = Carrier::new(Side::Connector, stream, app);
        carrier.set_lane(at, stage);
        self.held.insert(id, Held::new(carrier, facts.session, grant));
        self.begin(&attach, rest, &facts, stage);
        Ok(())
    }

    fn take_over(&mut self, arrival: Arrival, stage: &mut Stage) -> Result<(), String> {
        let Arrival { at, attach, rest, facts, grant } = arrival;
        let Some(held) = self.held.get_mut(&attach.stream) else { return Ok(()) };
        if held.carrier.stream.key() != attach.key {
            return say_no(at, PROOF_FAILED, stage);
        }
        if held.session != facts.session {
            stage.model.saw("a stream was asked for under another session");
            return say_no(at, SUPERSEDED, stage);
        }
        let older = held.carrier.stream.generation();
        if let Err(code) = held.carrier.stream.take_over(&attach, stage.net.now) {
            return say_no(at, code, stage);
        }
        // The lane may be gone: it was reset in the same message.
        let is_there = stage.net.link(at.0).accept(at.1, Bytes::new()).is_ok();
        stage.taken(at, &attach, facts.session)?;
        if !attach.resume_only {
            stage.model.saw("an Open that was sent again attached");
        }
        held.grant = grant;
        match held.carrier.set_lane(at, stage) {
            Some(lane) if stage.net.rng.one_in(2) => held.carrier.keep_older(lane, older, true, stage),
            Some((end, lane)) => {
                let reset = Reset { code: SUPERSEDED, class: ResetClass::Detach };
                stage.net.link(end).reset(lane, reset);
            }
            None => {}
        }
        if !is_there {
            held.carrier.lane_over(LaneEnd::Detached, stage)?;
        }
        self.begin(&attach, rest, &facts, stage);
        Ok(())
    }

    fn begin(&mut self, attach: &Attach, rest: Bytes, facts: &Facts, stage: &Stage) {
        if let Some(held) = self.held.get_mut(&attach.stream) {
            if !stage.sabotages(Sabotage::IgnoresExpiry) {
                held.carrier.stream.set_expiry(facts.expires);
            }
            held.carrier.stream.handle_bytes(attach.generation, rest, stage.net.now);
        }
    }

    /// A session is killed while its target is dialed.
    pub(super) fn kill_dials(&mut self, session: SessionId, code: u16, stage: &mut Stage) {
        for dial in self.dials.values_mut() {
            let (dead, lanes) =
                std::mem::take(&mut dial.lanes).into_iter().partition(|lane| lane.facts.session == session);
            dial.lanes = lanes;
            for arrival in dead {
                stage.model.saw("a Kill met the dial of its target");
                let (end, lane) = arrival.at;
                stage.net.link(end).refuse(lane, code, b"");
            }
        }
    }
}

/// What anybody could get wrong, before a stream is looked for.
fn examine(at: LaneAt, grant: &Bytes, early: &Bytes, now: Instant) -> Result<Arrival, u16> {
    let mut rest = early.clone();
    let attach = Intake::new().read(&mut rest).ok().flatten().ok_or(Refusal::BadRequest.code())?;
    let (facts, _) = Facts::read_grant(grant)
        .filter(|(facts, until)| facts.connector == Node::Connector && now <= *until)
        .ok_or(Refusal::GrantRefused.code())?;
    let named = facts.stream == attach.stream && facts.key == attach.key;
    if !named || !is_proven(&attach) {
        return Err(PROOF_FAILED);
    }
    Ok(Arrival { at, attach, rest, facts, grant: grant.clone() })
}

/// The two ways to say no: both are legal on the wire.
fn say_no((end, lane): LaneAt, code: u16, stage: &mut Stage) -> Result<(), String> {
    stage.net.say(format_args!("connector says no on {end:?} {lane:?}: {code}"));
    stage.model.saw("the connector said no to an attempt");
    // A Reject ends the stream, but for 4409: what may be better next time is a refusal.
    let says_so = [Ended::Limit.code(), Refusal::GrantRefused.code(), Refusal::BadRequest.code()];
    if !stage.terms.rejects_with_record || says_so.contains(&code) {
        stage.net.link(end).refuse(lane, code, b"");
        return Ok(());
    }
    if stage.net.link(end).accept(lane, Bytes::new()).is_ok() {
        write_all(stage, (end, lane), vec![Intake::reject(code)])?;
        let _gone = stage.net.link(end).finish(lane);
    }
    Ok(())
}
