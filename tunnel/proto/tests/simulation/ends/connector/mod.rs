//! The connector: links to every gateway, the targets that it dials, and the streams that it holds.

mod announce;
mod arrive;
mod held;

use super::App;
use crate::{
    model::Side,
    stage::{EndId, LaneAt, Net, Node, Sabotage, Stage},
};
use announce::News;
use arrive::Dial;
use held::Held;
use postern_ids::{SessionId, StreamId};
use postern_tunnel_proto::{
    Event, ResetClass,
    stream::{Config, LaneEnd},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Streams that are held at once; more are refused with `limit`.
const STREAMS_MAX: usize = 64;

pub(crate) struct Connector {
    instance: [u8; 16],
    config: Config,
    /// Until it starts again; `None` while it runs.
    down_until: Option<Instant>,
    /// The gateway that each link leads to, and the link or when it is dialed.
    slots: Vec<(usize, Dialed)>,
    pub(crate) held: BTreeMap<StreamId, Held>,
    /// Targets that are being dialed, with the lanes that wait for that.
    dials: BTreeMap<StreamId, Dial>,
    /// The program behind each target, as it is when it is dialed.
    targets: BTreeMap<StreamId, App>,
    news: News,
    /// Links over which the gateway has the whole list: now it understands news.
    listed: BTreeSet<EndId>,
}

enum Dialed {
    Link(EndId),
    At(Instant),
}

impl Connector {
    pub(crate) fn new(stage: &mut Stage, gateways: usize, targets: BTreeMap<StreamId, App>) -> Self {
        let now = stage.net.now;
        let slots = (0..gateways * stage.terms.slots).map(|slot| (slot % gateways, Dialed::At(now)));
        Self {
            instance: stage.net.rng.id(),
            config: stage.terms.config(),
            down_until: None,
            slots: slots.collect(),
            held: BTreeMap::new(),
            dials: BTreeMap::new(),
            targets,
            news: News::default(),
            listed: BTreeSet::new(),
        }
    }

    /// Dials the gateways that are up.
    pub(crate) fn dial(&mut self, stage: &mut Stage, gateways: &[bool]) {
        let now = stage.net.now;
        self.down_until = self.down_until.filter(|until| *until > now);
        if self.down_until.is_some() {
            return;
        }
        for (gateway, dialed) in &mut self.slots {
            match dialed {
                Dialed::At(at) if *at <= now => {
                    *dialed = if gateways[*gateway] {
                        let to = Node::Gateway(*gateway);
                        Dialed::Link(stage.net.connect(Node::Connector, to, self.instance))
                    } else {
                        Dialed::At(now + stage.net.rng.millis(20, 300))
                    };
                }
                Dialed::At(_) | Dialed::Link(_) => {}
            }
        }
    }

    pub(crate) fn on_event(&mut self, end: EndId, event: Event, stage: &mut Stage) -> Result<(), String> {
        match event {
            Event::Established { .. } => self.list(end, stage),
            Event::Incoming { lane, metadata, early, .. } => {
                self.on_incoming((end, lane), &metadata, &early, stage)?;
            }
            Event::Kill { session, code } if !stage.sabotages(Sabotage::IgnoresKill) => {
                self.kill(session, code, stage);
            }
            Event::Reset { lane, reset } => {
                let over = match reset.class {
                    ResetClass::Detach => LaneEnd::Detached,
                    ResetClass::End => LaneEnd::Ended(reset.code),
                };
                self.on_lane_over(|at| at == (end, lane), over, stage)?;
            }
            Event::Done(lane) => {
                for held in self.held.values_mut().filter(|held| held.carrier.lane == Some((end, lane))) {
                    held.carrier.lane_done();
                }
            }
            Event::Closed(_) => {
                self.listed.remove(&end);
                self.on_lane_over(|(on, _)| on == end, LaneEnd::Detached, stage)?;
                let again = stage.net.now + stage.net.rng.millis(1, 100);
                let lost = |dialed: &Dialed| matches!(dialed, Dialed::Link(link) if *link == end);
                for (_, dialed) in self.slots.iter_mut().filter(|(_, dialed)| lost(dialed)) {
                    *dialed = Dialed::At(again);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_lane_over(
        &mut self,
        is: impl Fn(LaneAt) -> bool,
        over: LaneEnd,
        stage: &mut Stage,
    ) -> Result<(), String> {
        for dial in self.dials.values_mut() {
            dial.lanes.retain(|arrival| !is(arrival.at));
        }
        let mut its = self.held.values_mut().filter(|held| held.carrier.lane.is_some_and(&is));
        its.try_for_each(|held| held.carrier.lane_over(over, stage))
    }

    /// The session is over, attached or not, and nothing reaches the target any more.
    fn kill(&mut self, session: SessionId, code: u16, stage: &mut Stage) {
        self.kill_dials(session, code, stage);
        for held in self.held.values_mut().filter(|held| held.session == session) {
            if held.carrier.stream.over().is_none() {
                stage.model.saw("a Kill ended a stream");
            }
            held.carrier.stream.end(code, stage.net.now);
        }
    }

    /// The process dies, and the connections to its targets with it; another one starts later.
    pub(crate) fn restart(&mut self, until: Instant, stage: &mut Stage) {
        let silent = stage.net.rng.one_in(4);
        stage.net.kill(Node::Connector, silent);
        self.held.clear();
        for id in self.targets.keys() {
            stage.model.died(*id, Side::Connector);
        }
        self.dials.clear();
        self.news = News::default();
        self.listed.clear();
        self.instance = stage.net.rng.id();
        self.config = stage.terms.config();
        self.down_until = Some(until);
        for (_, dialed) in &mut self.slots {
            *dialed = Dialed::At(until);
        }
    }

    pub(crate) fn drive(&mut self, stage: &mut Stage) -> Result<(), String> {
        self.finish_dials(stage)?;
        let mut order: Vec<StreamId> = self.held.keys().copied().collect();
        stage.net.rng.shuffle(&mut order);
        for id in &order {
            if let Some(held) = self.held.get_mut(id) {
                held.carrier.drive(stage)?;
                if held.look() {
                    self.news.add(*id);
                }
            }
        }
        self.held.retain(|_, held| !held.carrier.is_forgotten());
        self.tell_news(stage);
        self.check_budget(&stage.terms)
    }

    /// D13: the process' budget is exactly what its streams hold.
    fn check_budget(&self, terms: &crate::stage::Terms) -> Result<(), String> {
        let held = self.held.values().map(|held| &held.carrier.stream);
        let held: usize = held.map(|stream| stream.replay_held() + stream.unread()).sum();
        let counted = self.config.budget.used();
        if held != counted || self.held.len() > STREAMS_MAX {
            return Err(format!("D13: streams hold {held} bytes, counted are {counted} ({terms:?})"));
        }
        Ok(())
    }

    /// Links that are up to this gateway.
    fn links_to(&self, gateway: usize, net: &Net) -> Vec<EndId> {
        let links = self.slots.iter().filter_map(|(to, dialed)| match dialed {
            Dialed::Link(end) if *to == gateway && net.is_up(*end) => Some(*end),
            Dialed::Link(_) | Dialed::At(_) => None,
        });
        links.collect()
    }

    /// A link to this gateway, for a gateway that means harm.
    pub(crate) fn link_at(&self, gateway: usize, net: &Net) -> Option<EndId> {
        self.links_to(gateway, net).first().copied()
    }

    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        let dials = self.slots.iter().filter_map(|(_, dialed)| match dialed {
            Dialed::At(at) => Some(*at),
            Dialed::Link(_) => None,
        });
        let targets = self.dials.values().map(|dial| dial.done_at);
        let held = self.held.values().flat_map(|held| held.carrier.next());
        dials.chain(targets).chain(held).filter(|at| *at > now).min()
    }
}
