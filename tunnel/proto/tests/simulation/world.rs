//! Client, gateways and connector in one process on virtual time, and a hand that breaks things.

use crate::{
    app::App,
    client::Client,
    connector::Connector,
    gateway::Gateway,
    net::{EndId, Net, Owner},
};
use bytes::Bytes;
use postern_ids::{Ended, StreamId};
use postern_tunnel_proto::{Event, Open, stream::Config};
use std::time::{Duration, Instant};

/// What a run came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) hash: u64,
    pub(crate) attempts: u32,
    pub(crate) rejected: u64,
    pub(crate) finished: usize,
    pub(crate) killed: usize,
}

struct World {
    net: Net,
    client: Client,
    gateways: Vec<Gateway>,
    connector: Connector,
    killed: Vec<StreamId>,
    /// Nothing is broken after this.
    calm_at: Instant,
    chaos_at: Instant,
    may_kill: bool,
}

/// Runs a seed to its end. With `keep`, the event log comes back whether it went well or not.
pub(crate) fn run(seed: u64, keep: bool) -> (Result<Report, String>, Option<Vec<String>>) {
    let mut world = World::new(seed, keep);
    let result = world.live();
    (result, world.net.trace.lines.take())
}

impl World {
    fn new(seed: u64, keep: bool) -> Self {
        let mut net = Net::new(seed, keep);
        let config =
            Config { replay_max: 64 * 1024, unread_max: 16 * 1024, ack_bytes: 8 * 1024, ..Config::default() };
        let (mut up, mut targets) = (vec![], vec![]);
        for number in 0..net.rng.between(1, 3) {
            let [client, target] = App::pair(&mut net, number);
            up.push(client);
            targets.push((StreamId::from_bytes([u8::try_from(number).unwrap(); 16]), target));
        }
        let gateways: Vec<_> = (0..net.rng.between(1, 3)).map(|_| Gateway::default()).collect();
        let client = Client::new(&mut net, up, &config);
        let connector = Connector::new(&net, gateways.len(), targets.into_iter().collect(), config);
        let calm_at = net.now + net.rng.millis(0, 10_000);
        let chaos_at = net.now + net.rng.millis(0, 500);
        let may_kill = net.rng.one_in(4);
        Self { net, client, gateways, connector, killed: vec![], calm_at, chaos_at, may_kill }
    }

    fn live(&mut self) -> Result<Report, String> {
        let end = self.net.now + Duration::from_secs(600);
        for _ in 0..400_000 {
            self.settle()?;
            if self.is_over() {
                return self.judge();
            }
            // What was due at this instant was done, or waits for something else.
            let now = self.net.now;
            let nodes =
                [self.client.next(now), self.connector.next(now), self.next_chaos(), self.next_start()];
            let due = nodes.into_iter().flatten().filter(|at| *at > now);
            let Some(next) = due.chain(self.net.next()).min() else {
                return Err("nothing happens any more".into());
            };
            // What is due again and again at one instant must not stop the clock.
            self.net.now = next.max(self.net.now + Duration::from_micros(1));
            if self.net.now > end {
                return Err("the streams do not come to an end".into());
            }
        }
        Err("too many steps".into())
    }

    /// Everything that is due now.
    fn settle(&mut self) -> Result<(), String> {
        self.start_gateways();
        self.break_something();
        let up: Vec<bool> = self.gateways.iter().map(|gateway| gateway.down_until.is_none()).collect();
        self.client.dial(&mut self.net, &up);
        if let Some(end) = self.client.link {
            self.adopt(Net::peer(end));
        }
        for (gateway, end) in self.connector.dial(&mut self.net, &up) {
            self.adopt(end);
            self.gateways[gateway].connector = Some(end);
        }
        for (end, owner, event) in self.net.pump()? {
            self.net.say(format_args!("{owner:?} {end:?}: {}", brief(&event)));
            match owner {
                Owner::Client => self.client.on_event(end, &event, &mut self.net)?,
                Owner::Gateway(gateway) => self.gateways[gateway].on_event(end, event, &mut self.net),
                Owner::Connector => self.connector.on_event(end, &event, &mut self.net)?,
            }
        }
        self.client.drive(&mut self.net)?;
        self.connector.drive(&mut self.net)
    }

    fn adopt(&mut self, end: EndId) {
        if let Owner::Gateway(gateway) = self.net.end(end).owner
            && !self.gateways[gateway].ends.contains(&end)
            && self.net.is_up(end)
        {
            self.gateways[gateway].ends.push(end);
        }
    }

    fn start_gateways(&mut self) {
        let now = self.net.now;
        for gateway in &mut self.gateways {
            gateway.down_until = gateway.down_until.filter(|until| *until > now);
        }
    }

    fn next_start(&self) -> Option<Instant> {
        self.gateways.iter().filter_map(|gateway| gateway.down_until).min()
    }

    fn next_chaos(&self) -> Option<Instant> {
        (self.chaos_at < self.calm_at).then_some(self.chaos_at)
    }

    fn break_something(&mut self) {
        if self.net.now < self.chaos_at || self.chaos_at >= self.calm_at {
            return;
        }
        self.chaos_at = self.net.now + self.net.rng.millis(20, 2_000);
        let choice = self.net.rng.below(10);
        let ends = self.net.live_ends();
        let some_end = if ends.is_empty() { None } else { Some(self.net.rng.pick(&ends)) };
        self.net.say(format_args!("chaos {choice} near {some_end:?}"));
        match (choice, some_end) {
            (0 | 1, Some((wire, _))) => self.net.cut(wire, false),
            (2, Some((wire, _))) => self.net.cut(wire, true),
            (3 | 4, Some(end)) => {
                let time = self.net.rng.millis(10, 20_000);
                self.net.freeze(end, time);
            }
            (5, _) => {
                let gateway = self.net.rng.index(self.gateways.len());
                let until = self.net.now + self.net.rng.millis(50, 3_000);
                self.gateways[gateway].kill(until, &mut self.net);
            }
            (6, _) => {
                let gateway = self.net.rng.index(self.gateways.len());
                self.gateways[gateway].drain(&mut self.net);
            }
            (7, _) => self.client.roam(&mut self.net),
            (8, _) => self.replay_an_old_attach(),
            (_, _) if self.may_kill => self.revoke(),
            (_, _) => {}
        }
    }

    /// A hostile gateway opens a lane with what it recorded of an earlier attempt.
    fn replay_an_old_attach(&mut self) {
        let stream = self.net.rng.index(self.client.streams.len());
        let recorded = &self.client.streams[stream].recorded;
        if recorded.is_empty() {
            return;
        }
        let early: Bytes = recorded[self.net.rng.index(recorded.len())].clone();
        let gateway = self.net.rng.index(self.gateways.len());
        if let Some(end) = self.gateways[gateway].connector.filter(|&end| self.net.is_up(end)) {
            let _refused = self.net.link(end).open(Open { flow: 9, metadata: Bytes::new(), early });
        }
    }

    fn revoke(&mut self) {
        let stream = self.net.rng.index(self.client.streams.len());
        let id = self.client.streams[stream].carrier.stream.id();
        self.connector.kill(id, Ended::Revoked.code(), &mut self.net);
        self.killed.push(id);
    }

    fn is_over(&self) -> bool {
        let done = |carrier: &crate::carrier::Carrier| {
            let orderly = carrier.stream.over().is_some_and(|over| over.code == Ended::Finished.code());
            carrier.stream.over().is_some() && (!orderly || carrier.app.saw_end)
        };
        self.net.now >= self.calm_at
            && self.client.streams.iter().all(|attempt| done(&attempt.carrier))
            && self.connector.held.values().all(done)
    }

    /// What must hold at the end.
    fn judge(&self) -> Result<Report, String> {
        let finished = Ended::Finished.code();
        let mut report = Report {
            hash: self.net.trace.hash,
            rejected: self.connector.rejected,
            killed: self.killed.len(),
            ..Report::default()
        };
        for attempt in &self.client.streams {
            let client = &attempt.carrier;
            let id = client.stream.id();
            report.attempts += client.stream.generation();
            let [here] = client.ends[..] else {
                return Err(format!("{id:?} ended {} times", client.ends.len()));
            };
            if here.code != finished {
                if self.killed.contains(&id) {
                    continue;
                }
                return Err(format!("{id:?} was lost: {here:?}"));
            }
            report.finished += 1;
            let Some(there) = self.connector.held.get(&id) else {
                return Err(format!("{id:?} never arrived"));
            };
            let whole = there.app.received == there.app.expects || self.killed.contains(&id);
            if client.app.received != client.app.expects || !whole {
                return Err(format!("{id:?} finished without all its bytes"));
            }
            // The last acknowledgement may be lost, and a session may be revoked when the client is done already.
            let late = |code| code == Ended::ResumeFailed.code() || self.killed.contains(&id);
            if !there.ends.iter().all(|over| over.code == finished || late(over.code)) {
                return Err(format!("{id:?} finished here, and there {:?}", there.ends));
            }
        }
        Ok(report)
    }
}

fn brief(event: &Event) -> String {
    let mut text = format!("{event:?}");
    text.truncate(90);
    text
}
