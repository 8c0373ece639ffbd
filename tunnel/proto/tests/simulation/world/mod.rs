//! Client, gateways and connector in one process on virtual time, with liars among them, and a hand that breaks things.

mod chaos;
mod faults;
mod verdict;

pub(crate) use verdict::Report;

use crate::{
    ends::{App, Client, Connector},
    gateway::Gateway,
    hostile::{HostileClient, HostileConnector},
    model::{Model, Side},
    stage::{EndId, Net, Node, Recordings, Sabotage, Stage, Terms},
};
use chaos::Chaos;
use postern_ids::StreamId;
use postern_tunnel_proto::Event;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Steps of a run; more mean that it turns in a circle.
const STEPS_MAX: usize = 2_000_000;

pub(crate) struct World {
    stage: Stage,
    client: Client,
    gateways: Vec<Gateway>,
    connector: Connector,
    thief: Option<HostileClient>,
    liar: Option<HostileConnector>,
    chaos: Chaos,
}

/// Runs a seed to its end. With `keep`, the event log comes back whether it went well or not.
pub(crate) fn run(
    seed: u64,
    sabotage: Option<Sabotage>,
    keep: bool,
) -> (Result<Report, String>, Option<Vec<String>>) {
    let mut world = World::new(seed, sabotage, keep);
    let result = world.live();
    (result, world.stage.net.trace.lines.take())
}

impl World {
    fn new(seed: u64, sabotage: Option<Sabotage>, keep: bool) -> Self {
        let mut net = Net::new(seed, keep);
        let terms = Terms::new(&mut net.rng, sabotage);
        let mut model = Model::new(terms.window, terms.is_tight());
        model.store.takes_every_end = sabotage == Some(Sabotage::RecordsEveryEnd);
        let mut stage = Stage { net, model, terms, recordings: Recordings::default() };
        let gateways: Vec<Gateway> =
            (0..stage.net.rng.between(1, 3)).map(|number| Gateway::new(number, stage.net.now)).collect();
        let chaos = Chaos::new(&mut stage);
        let has_liar = stage.net.rng.one_in(3);
        let mut targets = BTreeMap::new();
        let streams = (0..stage.net.rng.between(1, 4)).map(|_| {
            let to =
                if has_liar && stage.net.rng.one_in(2) { Node::HostileConnector } else { Node::Connector };
            let id = expect(&mut stage, Node::Client, to, &mut targets);
            (id, to, App::new(Side::Client, &mut stage.net.rng, stage.net.now))
        });
        let streams = streams.collect();
        let client = Client::new(&stage, streams);
        let thief = stage.net.rng.one_in(3).then(|| {
            let own = |_| expect(&mut stage, Node::HostileClient, Node::Connector, &mut targets);
            let own: Vec<StreamId> = (0..8).map(own).collect();
            HostileClient::new(&stage, own, chaos.calm_at)
        });
        let liar = has_liar.then(|| HostileConnector::new(gateways.len(), stage.net.now, chaos.calm_at));
        let connector = Connector::new(&mut stage, gateways.len(), targets);
        Self { stage, client, gateways, connector, thief, liar, chaos }
    }

    fn live(&mut self) -> Result<Report, String> {
        let end = self.stage.net.now + Duration::from_secs(900);
        for _ in 0..STEPS_MAX {
            self.settle()?;
            self.stage.model.check(self.stage.net.now)?;
            if self.is_over() {
                return self.judge();
            }
            // What was due at this instant was done, or waits for something else.
            let Some(next) = self.next() else { return Err("nothing happens any more".into()) };
            // What is due again and again at one instant must not stop the clock.
            self.stage.net.now = next.max(self.stage.net.now + Duration::from_micros(1));
            if self.stage.net.now > end {
                return Err(self.unfinished());
            }
        }
        Err(format!("too many steps: {}", self.unfinished()))
    }

    fn next(&self) -> Option<Instant> {
        let now = self.stage.net.now;
        let gateways = self.gateways.iter().filter(|gateway| self.stage.net.is_running(gateway.node()));
        let gateways = gateways.filter_map(|gateway| gateway.next(&self.stage));
        let client = self.client.next(now).filter(|_| self.stage.net.is_running(Node::Client));
        let nodes = [client, self.connector.next(now), self.chaos.next()];
        let hostile = [
            self.thief.as_ref().and_then(|thief| thief.next(now)),
            self.liar.as_ref().and_then(|liar| liar.next(now)),
        ];
        let nodes = nodes.into_iter().chain(hostile).flatten().chain(gateways).filter(|at| *at > now);
        nodes.chain(self.stage.net.next()).min()
    }

    /// Everything that is due now.
    fn settle(&mut self) -> Result<(), String> {
        self.stage.net.wake();
        self.break_something()?;
        let up: Vec<bool> = self.gateways.iter().map(|gateway| gateway.down_until.is_none()).collect();
        if self.stage.net.is_running(Node::Client) {
            self.client.dial(&mut self.stage, &up);
        }
        self.connector.dial(&mut self.stage, &up);
        for (end, node, event) in self.stage.net.pump()? {
            self.stage.net.say(format_args!("{node:?} {end:?}: {}", brief(&event)));
            self.on_event(end, node, event)?;
        }
        self.drive(&up)
    }

    fn on_event(&mut self, end: EndId, node: Node, event: Event) -> Result<(), String> {
        let stage = &mut self.stage;
        match node {
            Node::Client => self.client.on_event(end, event, stage)?,
            Node::Gateway(number) => self.gateways[number].on_event(end, event, stage)?,
            Node::Connector => self.connector.on_event(end, event, stage)?,
            Node::HostileClient => self.thief.iter_mut().for_each(|thief| thief.on_event(end, &event)),
            Node::HostileConnector => {
                self.liar.iter_mut().for_each(|liar| liar.on_event(end, &event, stage));
            }
        }
        Ok(())
    }

    /// Each process does what it has to do, in any order.
    fn drive(&mut self, up: &[bool]) -> Result<(), String> {
        let mut order: Vec<usize> = (0..self.gateways.len() + 2).collect();
        self.stage.net.rng.shuffle(&mut order);
        for number in order {
            match number.checked_sub(2) {
                Some(gateway) => {
                    let gateway = &mut self.gateways[gateway];
                    if self.stage.net.is_running(gateway.node()) {
                        gateway.drive(&mut self.stage)?;
                    }
                }
                None if number == 0 && !self.stage.net.is_running(Node::Client) => {}
                None if number == 0 => self.client.drive(&mut self.stage)?,
                None => self.connector.drive(&mut self.stage)?,
            }
        }
        if let Some(liar) = &mut self.liar {
            liar.drive(&mut self.stage, up);
        }
        if let Some(thief) = &mut self.thief {
            thief.drive(&mut self.stage, up);
        }
        Ok(())
    }
}

/// A stream that the model watches, and the program at its target.
fn expect(
    stage: &mut Stage,
    client: Node,
    connector: Node,
    targets: &mut BTreeMap<StreamId, App>,
) -> StreamId {
    let number = u8::try_from(stage.model.streams.len() + 1).unwrap();
    let id = StreamId::from_bytes([number; 16]);
    let now = stage.net.now;
    let expires = stage.net.rng.one_in(10).then(|| now + stage.net.rng.millis(100, 25_000));
    stage.model.expect(id, client, connector, expires);
    targets.insert(id, App::new(Side::Connector, &mut stage.net.rng, now));
    id
}

/// What an event is about, without its bytes.
fn brief(event: &Event) -> String {
    match event {
        Event::Incoming { lane, metadata, early, .. } => {
            format!("Incoming {lane:?}, {} and {} bytes", metadata.len(), early.len())
        }
        Event::Opened { lane, .. } => format!("Opened {lane:?}"),
        Event::Inventory { entries, last } => format!("Inventory of {} bytes, last: {last}", entries.len()),
        other => format!("{other:?}"),
    }
}
