//! The connector: a link to every gateway, and the streams that it holds.

use crate::{
    app::App,
    carrier::{Carrier, write_all},
    client::sign,
    net::{EndId, Net, Owner},
};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Event, LaneId, Read, Reset, ResetClass,
    stream::{Attach, Config, Intake, LaneEnd, PROOF_FAILED, SUPERSEDED, Stream},
};
use std::{collections::BTreeMap, time::Instant};

pub(crate) const INSTANCE: [u8; 16] = [0xc0; 16];

pub(crate) struct Connector {
    /// Per gateway: its link, or when it is dialed.
    links: Vec<Dialed>,
    pub(crate) held: BTreeMap<StreamId, Carrier>,
    /// Targets that were not dialed yet.
    targets: BTreeMap<StreamId, App>,
    /// Lanes whose Attach has not come whole.
    intakes: BTreeMap<(EndId, LaneId), Intake>,
    pub(crate) rejected: u64,
    config: Config,
}

enum Dialed {
    Link(EndId),
    At(Instant),
}

impl Connector {
    pub(crate) fn new(net: &Net, gateways: usize, targets: BTreeMap<StreamId, App>, config: Config) -> Self {
        Self {
            links: (0..gateways).map(|_| Dialed::At(net.now)).collect(),
            held: BTreeMap::new(),
            targets,
            intakes: BTreeMap::new(),
            rejected: 0,
            config,
        }
    }

    /// Dials the gateways that are up; gives the new acceptor ends.
    pub(crate) fn dial(&mut self, net: &mut Net, gateways: &[bool]) -> Vec<(usize, EndId)> {
        let mut new = vec![];
        for (gateway, dialed) in self.links.iter_mut().enumerate() {
            let Dialed::At(at) = dialed else { continue };
            if net.now < *at {
                continue;
            }
            *dialed = if gateways[gateway] {
                let end = net.connect(Owner::Connector, Owner::Gateway(gateway));
                new.push((gateway, Net::peer(end)));
                Dialed::Link(end)
            } else {
                Dialed::At(net.now + net.rng.millis(20, 300))
            };
        }
        new
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: &Event, net: &mut Net) -> Result<(), String> {
        match event {
            Event::Incoming { lane, early, .. } => {
                if net.link(end).accept(*lane, Bytes::new()).is_err() {
                    // It was reset in the same message.
                    return Ok(());
                }
                self.intakes.insert((end, *lane), Intake::new());
                self.on_first_bytes(end, *lane, early.clone(), net)
            }
            Event::Readable(lane) if self.intakes.contains_key(&(end, *lane)) => {
                while let Ok(Read::Chunk(chunk)) = net.link(end).read(*lane, usize::MAX) {
                    let (len, now) = (chunk.len(), net.now);
                    net.link(end).consume(*lane, len, now);
                    self.on_first_bytes(end, *lane, chunk, net)?;
                }
                Ok(())
            }
            Event::Reset { lane, reset } => {
                let over = match reset.class {
                    ResetClass::Detach => LaneEnd::Detached,
                    ResetClass::End => LaneEnd::Ended(reset.code),
                };
                self.on_lane_over(|at| at == (end, *lane), over, net);
                Ok(())
            }
            Event::Closed(_) => {
                self.on_lane_over(|(on, _)| on == end, LaneEnd::Detached, net);
                let again = net.now + net.rng.millis(1, 100);
                for dialed in &mut self.links {
                    if matches!(dialed, Dialed::Link(link) if *link == end) {
                        *dialed = Dialed::At(again);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_lane_over(&mut self, is: impl Fn((EndId, LaneId)) -> bool, over: LaneEnd, net: &mut Net) {
        self.intakes.retain(|at, _| !is(*at));
        for carrier in self.held.values_mut() {
            if carrier.lane.is_some_and(&is) {
                carrier.lane_over(over, net);
            }
        }
    }

    fn on_first_bytes(
        &mut self,
        end: EndId,
        lane: LaneId,
        mut chunk: Bytes,
        net: &mut Net,
    ) -> Result<(), String> {
        let Some(intake) = self.intakes.get_mut(&(end, lane)) else { return Ok(()) };
        let Some(attach) = intake.read(&mut chunk).map_err(|error| error.to_string())? else { return Ok(()) };
        self.intakes.remove(&(end, lane));
        if let Err(code) = self.attach(&attach, (end, lane), net) {
            self.rejected += 1;
            net.say(format_args!(
                "connector rejects {:?} generation {}: {code}",
                attach.stream, attach.generation
            ));
            write_all(net, end, lane, vec![Intake::reject(code)])?;
            let _gone = net.link(end).finish(lane);
            return Ok(());
        }
        let generation = attach.generation;
        if let Some(carrier) = self.held.get_mut(&attach.stream) {
            carrier.stream.handle_bytes(generation, chunk, net.now);
        }
        Ok(())
    }

    fn attach(&mut self, attach: &Attach, at: (EndId, LaneId), net: &mut Net) -> Result<(), u16> {
        if sign(&attach.proof_message(), attach.key) != attach.proof {
            return Err(PROOF_FAILED);
        }
        if let Some(carrier) = self.held.get_mut(&attach.stream) {
            let older = carrier.stream.generation();
            carrier.stream.take_over(attach, net.now)?;
            match carrier.lane.replace(at) {
                Some(lane) if net.rng.one_in(2) => carrier.zombies.push((lane, older)),
                Some((end, lane)) => {
                    net.link(end).reset(lane, Reset { code: SUPERSEDED, class: ResetClass::Detach });
                }
                None => {}
            }
            return Ok(());
        }
        let stream = Stream::connector(attach, INSTANCE, self.config.clone(), net.now)?;
        let app = self.targets.remove(&attach.stream).ok_or(PROOF_FAILED)?;
        let mut carrier = Carrier::new("connector", stream, app);
        carrier.lane = Some(at);
        self.held.insert(attach.stream, carrier);
        Ok(())
    }

    /// The session is revoked: over, attached or not, and nothing reaches the target any more.
    pub(crate) fn kill(&mut self, id: StreamId, code: u16, net: &mut Net) {
        if let Some(carrier) = self.held.get_mut(&id).filter(|carrier| carrier.stream.over().is_none()) {
            carrier.stream.end(code, net.now);
            carrier.sealed = Some(carrier.app.received);
        }
    }

    pub(crate) fn drive(&mut self, net: &mut Net) -> Result<(), String> {
        self.held.values_mut().try_for_each(|carrier| carrier.drive(net))
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let dials =
            self.links.iter().filter_map(|dialed| if let Dialed::At(at) = dialed { Some(*at) } else { None });
        let held = self
            .held
            .values()
            .flat_map(|carrier| [Some(carrier.app.next_tick), carrier.stream.poll_timeout()]);
        dials.chain(held.flatten()).filter(|at| *at > now).min()
    }
}
