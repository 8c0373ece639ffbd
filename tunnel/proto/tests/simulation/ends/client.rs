//! The client: a link that is dialed again when it dies, older ones that linger, and streams that attach again until they
//! are over.

use super::{App, attempt::Attempt};
use crate::{
    model::Side,
    stage::{EndId, LaneAt, Node, Stage},
};
use bytes::Bytes;
use postern_ids::{Refusal, StreamId};
use postern_tunnel_proto::{
    Event, ResetClass,
    stream::{LaneEnd, Stream},
};
use std::time::Instant;

pub(crate) struct Client {
    pub(crate) link: Option<EndId>,
    dial_at: Instant,
    pub(crate) streams: Vec<Attempt>,
    /// The process died: nobody will come back.
    pub(crate) is_dead: bool,
}

impl Client {
    /// A client with these streams: their id, the connector that they lead to, and the program here.
    pub(crate) fn new(stage: &Stage, streams: Vec<(StreamId, Node, App)>) -> Self {
        let config = stage.terms.config();
        let now = stage.net.now;
        let streams = streams.into_iter().map(|(id, connector, app)| {
            let key = [id.to_bytes()[0]; 32];
            Attempt::new(connector, Stream::client(id, key, config.clone(), now), app, now)
        });
        Self { link: None, dial_at: now, streams: streams.collect(), is_dead: false }
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: Event, stage: &mut Stage) -> Result<(), String> {
        match event {
            Event::Closed(_) => self.on_link_lost(end, stage)?,
            Event::GoAway { .. } => self.leave(end, stage),
            Event::Opened { lane, metadata } => self.on_opened((end, lane), &metadata),
            Event::Refused { lane, code, .. } => self.on_lane_over((end, lane), refused(code), stage)?,
            Event::Reset { lane, reset } => {
                let over = match reset.class {
                    ResetClass::Detach => LaneEnd::Detached,
                    ResetClass::End => LaneEnd::Ended(reset.code),
                };
                self.on_lane_over((end, lane), over, stage)?;
            }
            Event::Done(lane) => {
                for attempt in &mut self.streams {
                    if attempt.carrier.lane == Some((end, lane)) {
                        attempt.carrier.lane_done();
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_link_lost(&mut self, end: EndId, stage: &mut Stage) -> Result<(), String> {
        if self.link == Some(end) {
            self.link = None;
            self.dial_at = stage.net.now + stage.net.rng.millis(1, 100);
        }
        self.streams.iter_mut().try_for_each(|attempt| attempt.link_lost(end, stage))
    }

    /// Looks for another link; lanes stay where they are until they are reset.
    pub(crate) fn leave(&mut self, end: EndId, stage: &Stage) {
        if self.link == Some(end) {
            self.link = None;
            self.dial_at = stage.net.now;
        }
    }

    /// The network changed: the old links are not even closed.
    pub(crate) fn roam(&mut self, stage: &mut Stage) -> Result<(), String> {
        for end in stage.net.live_ends(Some(Node::Client)) {
            stage.net.drop_end(end, true);
            self.on_link_lost(end, stage)?;
        }
        self.link = None;
        Ok(())
    }

    /// The process dies.
    pub(crate) fn kill(&mut self, silent: bool, stage: &mut Stage) {
        stage.net.kill(Node::Client, silent);
        (self.link, self.is_dead) = (None, true);
        for attempt in self.streams.drain(..) {
            stage.model.died(attempt.carrier.stream.id(), Side::Client);
        }
    }

    fn on_opened(&mut self, at: LaneAt, ticket: &Bytes) {
        self.streams.iter_mut().for_each(|attempt| attempt.opened(at, ticket));
    }

    fn on_lane_over(&mut self, at: LaneAt, over: LaneEnd, stage: &mut Stage) -> Result<(), String> {
        self.streams.iter_mut().try_for_each(|attempt| attempt.lane_over(at, over, stage))
    }

    /// Dials a gateway that is up, when there is no link.
    pub(crate) fn dial(&mut self, stage: &mut Stage, gateways: &[bool]) {
        if self.is_dead || self.link.is_some() || stage.net.now < self.dial_at {
            return;
        }
        let gateway = stage.net.rng.index(gateways.len());
        if gateways[gateway] {
            self.link = Some(stage.net.connect(Node::Client, Node::Gateway(gateway), [0; 16]));
        } else {
            self.dial_at = stage.net.now + stage.net.rng.millis(20, 300);
        }
    }

    pub(crate) fn drive(&mut self, stage: &mut Stage) -> Result<(), String> {
        let mut order: Vec<usize> = (0..self.streams.len()).collect();
        stage.net.rng.shuffle(&mut order);
        for number in order {
            let link = self.link.filter(|&end| stage.net.is_up(end));
            self.streams[number].drive(link, stage)?;
        }
        Ok(())
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let dial = (self.link.is_none() && !self.is_dead).then_some(self.dial_at);
        let streams = self.streams.iter().flat_map(Attempt::next);
        streams.chain(dial).filter(|at| *at > now).min()
    }
}

/// What a refusal means for the stream: most are good for another try.
fn refused(code: u16) -> LaneEnd {
    let again = [
        Refusal::Superseded,
        Refusal::NoConnector,
        Refusal::Draining,
        Refusal::LinkLost,
        Refusal::TryNext,
        Refusal::Limit,
        Refusal::Timeout,
        Refusal::TargetUnreachable,
        Refusal::GrantRefused,
    ];
    match again.iter().any(|refusal| refusal.code() == code) {
        true => LaneEnd::Detached,
        false => LaneEnd::Ended(code),
    }
}
