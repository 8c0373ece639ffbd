//! The client: one link at a time, dialed again when it dies; its streams attach again until they are over.

use crate::{
    app::App,
    carrier::Carrier,
    net::{EndId, Net, Owner},
};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Event, LaneId, Open, ResetClass,
    frame::EARLY_MAX,
    stream::{Config, LaneEnd, Poll, Stream},
};
use std::time::Instant;

pub(crate) struct Client {
    pub(crate) link: Option<EndId>,
    dial_at: Instant,
    pub(crate) streams: Vec<Attempt>,
}

/// A stream and where its newest attempt stands.
pub(crate) struct Attempt {
    pub(crate) carrier: Carrier,
    /// Open was sent and not answered.
    opening: Option<(EndId, LaneId)>,
    retry_at: Instant,
    /// What every attempt said first, for whoever replays it.
    pub(crate) recorded: Vec<Bytes>,
}

/// A toy signature: whoever knows the key can make it, nobody guesses it.
pub(crate) fn sign(message: &[u8], key: [u8; 32]) -> [u8; 64] {
    let mut state =
        key.iter().fold(7u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for &byte in message {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut proof = [0; 64];
    proof.chunks_mut(8).for_each(|chunk| {
        state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (state >> 29);
        chunk.copy_from_slice(&state.to_be_bytes());
    });
    proof
}

impl Client {
    pub(crate) fn new(net: &mut Net, apps: Vec<App>, config: &Config) -> Self {
        let streams = apps.into_iter().enumerate().map(|(number, app)| {
            let tag = u8::try_from(number).unwrap();
            let stream = Stream::client(StreamId::from_bytes([tag; 16]), [tag; 32], config.clone(), net.now);
            let carrier = Carrier::new("client", stream, app);
            Attempt { carrier, opening: None, retry_at: net.now, recorded: vec![] }
        });
        Self { link: None, dial_at: net.now, streams: streams.collect() }
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: &Event, net: &mut Net) -> Result<(), String> {
        match event {
            Event::Closed(_) => self.on_link_lost(end, net),
            Event::GoAway { .. } => self.leave(end, net),
            Event::Opened { lane, .. } => self.on_opened(end, *lane),
            Event::Refused { lane, .. } => self.on_lane_over(end, *lane, LaneEnd::Detached, net),
            Event::Reset { lane, reset } => {
                let over = match reset.class {
                    ResetClass::Detach => LaneEnd::Detached,
                    ResetClass::End => LaneEnd::Ended(reset.code),
                };
                self.on_lane_over(end, *lane, over, net);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_link_lost(&mut self, end: EndId, net: &mut Net) {
        for attempt in &mut self.streams {
            let on_it = |at: Option<(EndId, LaneId)>| at.is_some_and(|(on, _)| on == end);
            if on_it(attempt.carrier.lane) || on_it(attempt.opening) {
                attempt.opening = None;
                attempt.carrier.lane_over(LaneEnd::Detached, net);
            }
        }
        if self.link == Some(end) {
            self.link = None;
            self.dial_at = net.now + net.rng.millis(1, 100);
        }
    }

    /// The gateway goes: look for another link, lanes stay where they are until they are reset.
    fn leave(&mut self, end: EndId, net: &Net) {
        if self.link == Some(end) {
            self.link = None;
            self.dial_at = net.now;
        }
    }

    /// The network changed: the old link is not even closed.
    pub(crate) fn roam(&mut self, net: &mut Net) {
        if let Some(end) = self.link {
            net.drop_end(end, true);
            self.on_link_lost(end, net);
        }
    }

    fn on_opened(&mut self, end: EndId, lane: LaneId) {
        for attempt in &mut self.streams {
            if attempt.opening == Some((end, lane)) {
                attempt.opening = None;
                attempt.carrier.lane = Some((end, lane));
            }
        }
    }

    fn on_lane_over(&mut self, end: EndId, lane: LaneId, over: LaneEnd, net: &mut Net) {
        for attempt in &mut self.streams {
            if attempt.opening == Some((end, lane)) || attempt.carrier.lane == Some((end, lane)) {
                attempt.opening = None;
                attempt.retry_at = net.now + net.rng.millis(20, 300);
                attempt.carrier.lane_over(over, net);
            }
        }
    }

    /// Dials a gateway that is up, when there is no link.
    pub(crate) fn dial(&mut self, net: &mut Net, gateways: &[bool]) {
        if self.link.is_some() || net.now < self.dial_at {
            return;
        }
        let gateway = net.rng.index(gateways.len());
        if gateways[gateway] {
            self.link = Some(net.connect(Owner::Client, Owner::Gateway(gateway)));
        } else {
            self.dial_at = net.now + net.rng.millis(20, 300);
        }
    }

    pub(crate) fn drive(&mut self, net: &mut Net) -> Result<(), String> {
        for attempt in &mut self.streams {
            attempt.carrier.drive(net)?;
            if let Some(end) = self.link.filter(|&end| net.is_up(end)) {
                attempt.try_again(end, net)?;
            }
        }
        Ok(())
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let dial = self.link.is_none().then_some(self.dial_at);
        let streams = self.streams.iter().flat_map(|attempt| {
            let carrier = &attempt.carrier;
            let idle = attempt.opening.is_none() && carrier.lane.is_none() && carrier.stream.over().is_none();
            let times = [
                Some(carrier.app.next_tick),
                carrier.stream.poll_timeout(),
                idle.then_some(attempt.retry_at),
            ];
            times.into_iter().flatten()
        });
        streams.chain(dial).filter(|at| *at > now).min()
    }
}

impl Attempt {
    fn try_again(&mut self, end: EndId, net: &mut Net) -> Result<(), String> {
        let carrier = &mut self.carrier;
        let waits = self.opening.is_none() && carrier.lane.is_none() && net.now >= self.retry_at;
        if !waits || !net.link(end).takes_lanes() {
            return Ok(());
        }
        let key = carrier.stream.key();
        if carrier.stream.attach(|message| sign(message, key)).is_none() {
            return Ok(());
        }
        let mut early = vec![];
        let mut room = EARLY_MAX;
        while carrier.stream.poll_transmit(&mut early, room, net.now) == Poll::Records {
            room = EARLY_MAX - early.iter().map(Bytes::len).sum::<usize>();
        }
        let early = Bytes::from(early.concat());
        self.recorded.push(early.clone());
        let metadata = carrier.stream.id().to_bytes().to_vec().into();
        let lane = net.link(end).open(Open { flow: 1, metadata, early });
        let lane = lane.map_err(|error| format!("a link that takes lanes says: {error}"))?;
        self.opening = Some((end, lane));
        net.say(format_args!(
            "client {:?} attempt {} on {end:?}",
            carrier.stream.id(),
            carrier.stream.generation()
        ));
        Ok(())
    }
}
