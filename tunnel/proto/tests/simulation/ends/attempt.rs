//! A stream of the client and where its newest attempt stands.

use super::{App, carrier::Carrier};
use crate::{
    model::Side,
    stage::{EndId, LaneAt, Node, Recordings, Stage},
    words::{Ask, sign},
};
use bytes::Bytes;
use postern_tunnel_proto::{
    Open, Reset, ResetClass,
    frame::EARLY_MAX,
    stream::{LaneEnd, Poll, SUPERSEDED, Stream},
};
use std::time::Instant;

pub(crate) struct Attempt {
    pub(crate) carrier: Carrier,
    connector: Node,
    ticket: Option<Bytes>,
    /// Open was sent and not answered.
    opening: Option<Opening>,
    retry_at: Instant,
}

struct Opening {
    at: LaneAt,
    gives_up_at: Instant,
}

/// Where a stream stands, for whoever wants to hit it at a certain moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The first Open, or one after it that was never answered, is on its way.
    Opening,
    Attached,
    Detached,
    /// An attempt to resume is on its way.
    Resuming,
}

impl Attempt {
    pub(super) fn new(connector: Node, stream: Stream, app: App, now: Instant) -> Self {
        let carrier = Carrier::new(Side::Client, stream, app);
        Self { carrier, connector, ticket: None, opening: None, retry_at: now }
    }

    pub(crate) fn moment(&self) -> Option<Moment> {
        let stream = &self.carrier.stream;
        match (stream.over(), stream.detached_since()) {
            (Some(_), _) => None,
            (None, None) => Some(Moment::Attached),
            (None, Some(_)) if stream.generation() == 0 => None,
            (None, Some(_)) if self.opening.is_none() && self.carrier.lane.is_none() => {
                Some(Moment::Detached)
            }
            (None, Some(_)) if stream.is_welcomed() => Some(Moment::Resuming),
            (None, Some(_)) => Some(Moment::Opening),
        }
    }

    pub(super) fn opened(&mut self, at: LaneAt, ticket: &Bytes) {
        if self.opening.take_if(|opening| opening.at == at).is_some() {
            self.ticket = Some(ticket.clone());
            self.carrier.lane = Some(at);
        } else {
            self.carrier.older_lane(at, true);
        }
    }

    pub(super) fn link_lost(&mut self, end: EndId, stage: &mut Stage) -> Result<(), String> {
        let lane = self.opening.as_ref().map(|opening| opening.at).or(self.carrier.lane);
        let Some(at) = lane.filter(|(on, _)| *on == end) else { return Ok(()) };
        self.lane_over(at, LaneEnd::Detached, stage)?;
        self.retry_at = stage.net.now;
        Ok(())
    }

    pub(super) fn lane_over(&mut self, at: LaneAt, over: LaneEnd, stage: &mut Stage) -> Result<(), String> {
        self.carrier.older_lane(at, false);
        if self.opening.take_if(|opening| opening.at == at).is_none() && self.carrier.lane != Some(at) {
            return Ok(());
        }
        self.retry_at = stage.net.now + stage.net.rng.millis(0, 300);
        self.carrier.lane_over(over, stage)
    }

    /// Lets go of the newest lane or attempt and tries again at once. What was given up may still be answered.
    pub(crate) fn race(&mut self, silent: bool, stage: &mut Stage) -> Result<(), String> {
        let generation = self.carrier.stream.generation();
        let opening = self.opening.take().map(|opening| opening.at);
        let Some(at) = opening.or(self.carrier.lane) else { return Ok(()) };
        stage.model.saw("the client gave up a lane and raced it");
        if !silent {
            stage.net.link(at.0).reset(at.1, Reset { code: SUPERSEDED, class: ResetClass::Detach });
        } else {
            self.carrier.keep_older(at, generation, opening.is_none(), stage);
        }
        self.retry_at = stage.net.now;
        self.carrier.lane_over(LaneEnd::Detached, stage)
    }

    pub(super) fn drive(&mut self, link: Option<EndId>, stage: &mut Stage) -> Result<(), String> {
        self.carrier.drive(stage)?;
        if self.opening.as_ref().is_some_and(|opening| opening.gives_up_at <= stage.net.now) {
            let silent = stage.net.rng.one_in(2);
            self.race(silent, stage)?;
        }
        match link {
            Some(end) => self.try_again(end, stage),
            None => Ok(()),
        }
    }

    fn try_again(&mut self, end: EndId, stage: &mut Stage) -> Result<(), String> {
        let waits = self.opening.is_none() && self.carrier.lane.is_none() && stage.net.now >= self.retry_at;
        if !waits || !stage.net.link(end).takes_lanes() {
            return Ok(());
        }
        let stream = &mut self.carrier.stream;
        let (key, welcomed) = (stream.key(), stream.is_welcomed());
        if stream.attach(|message| sign(message, key)).is_none() {
            return Ok(());
        }
        let early = self.early(stage)?;
        let ask = match &self.ticket {
            Some(ticket) if welcomed => Ask::Resume { ticket: ticket.clone() },
            Some(_) | None => Ask::Open { connector: self.connector },
        };
        let metadata = ask.to_bytes();
        Recordings::keep(&mut stage.recordings.asked, &metadata, &early);
        let lane = stage.net.link(end).open(Open { flow: 1, metadata, early });
        let lane = lane.map_err(|error| format!("D13: a link that takes lanes says: {error}"))?;
        let gives_up_at = stage.net.now + stage.net.rng.millis(300, 12_000);
        self.opening = Some(Opening { at: (end, lane), gives_up_at });
        let (id, generation) = (self.carrier.stream.id(), self.carrier.stream.generation());
        stage.net.say(format_args!("client {id} attempt {generation} on {end:?}"));
        stage.model.saw("attempts");
        Ok(())
    }

    /// What the lane carries before it is one.
    fn early(&mut self, stage: &mut Stage) -> Result<Bytes, String> {
        let (mut early, mut length) = (vec![], 0);
        while self.carrier.stream.poll_transmit(&mut early, EARLY_MAX - length, stage.net.now)
            == Poll::Records
        {
            length = early.iter().map(Bytes::len).sum();
        }
        self.carrier.account(&early, stage)?;
        Ok(early.concat().into())
    }

    pub(super) fn next(&self) -> impl Iterator<Item = Instant> {
        let idle = self.opening.is_none() && self.carrier.lane.is_none();
        let retry = (idle && self.carrier.stream.wants_lane()).then_some(self.retry_at);
        let gives_up = self.opening.as_ref().map(|opening| opening.gives_up_at);
        self.carrier.next().chain(retry).chain(gives_up)
    }
}
