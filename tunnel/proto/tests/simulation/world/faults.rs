//! What breaks, done.

use super::{World, chaos::Fault};
use crate::{
    hostile,
    stage::{EndId, Net, Node},
};
use bytes::Bytes;
use postern_ids::{SessionId, StreamId};
use postern_tunnel_proto::{Open, Reset, ResetClass};
use std::time::Duration;

/// A silent peer is noticed after this, and dialed again.
const SILENCE: Duration = Duration::from_millis(10_500);
/// A link that was reset is there again.
const REDIAL: Duration = Duration::from_millis(1_500);

impl World {
    pub(super) fn strike(&mut self, fault: Fault) -> Result<(), String> {
        let ends = self.stage.net.live_ends(None);
        self.stage.net.say(format_args!("fault: {fault:?}"));
        let Some(end) = (!ends.is_empty()).then(|| self.stage.net.rng.pick(&ends)) else { return Ok(()) };
        match fault {
            Fault::Cut => self.cut(end, false),
            Fault::CutInSilence => self.cut(end, true),
            Fault::HalfOpen => {
                self.stage.net.deafen(end);
                self.trouble(SILENCE + REDIAL);
            }
            Fault::Freeze => {
                let time = self.stage.net.rng.millis(10, 20_000);
                self.stage.net.freeze(end, time);
                self.trouble(time.min(SILENCE) + REDIAL);
            }
            Fault::KillGateway => self.kill_gateway(),
            Fault::KillEveryGateway => (0..self.gateways.len()).for_each(|number| self.kill_that(number)),
            Fault::StopGateway => self.stop_gateway(),
            Fault::Drain => self.drain(),
            Fault::Roam => {
                self.client.roam(&mut self.stage)?;
                self.trouble(SILENCE + REDIAL);
            }
            Fault::Sleep => {
                let time = self.stage.net.rng.millis(500, 40_000);
                let until = self.stage.net.now + time;
                self.stage.net.stop(Node::Client, until);
                self.stage.model.deadlines.client_sleeps_until(until + SILENCE);
                // Until it is missed, nobody knows.
                self.trouble(SILENCE);
            }
            Fault::SecondLink => {
                if let Some(end) = self.client.link {
                    self.client.leave(end, &self.stage);
                }
            }
            Fault::Race => self.race()?,
            Fault::Replay => self.replay(false),
            Fault::Duplicate => self.replay(true),
            Fault::Forge => self.forge(),
            Fault::KillConnector => self.kill_connector(),
            Fault::KillClient => self.kill_client(),
        }
        Ok(())
    }

    fn cut(&mut self, end: EndId, silent: bool) {
        self.stage.net.cut(end.0, silent);
        self.trouble(if silent { SILENCE + REDIAL } else { REDIAL });
    }

    fn kill_gateway(&mut self) {
        let number = self.stage.net.rng.index(self.gateways.len());
        self.kill_that(number);
    }

    fn kill_that(&mut self, number: usize) {
        let time = self.stage.net.rng.millis(50, 3_000);
        let silent = self.stage.net.rng.one_in(6);
        let until = self.stage.net.now + time;
        self.gateways[number].kill(until, silent, &mut self.stage);
        self.trouble(if silent { time + SILENCE + REDIAL } else { time + REDIAL });
    }

    fn stop_gateway(&mut self) {
        let number = self.stage.net.rng.index(self.gateways.len());
        if self.gateways[number].down_until.is_some() {
            return;
        }
        let time = self.stage.net.rng.millis(200, 30_000);
        let until = self.stage.net.now + time;
        self.stage.net.stop(Node::Gateway(number), until);
        self.stage.model.saw("a gateway stood still");
        // Its peers notice, and it notices when it goes on that they did.
        self.trouble(time + SILENCE + REDIAL);
    }

    fn drain(&mut self) {
        let number = self.stage.net.rng.index(self.gateways.len());
        if self.gateways[number].down_until.is_some() || !self.stage.net.is_running(Node::Gateway(number)) {
            return;
        }
        let time = self.stage.net.rng.millis(300, 2_000);
        let until = self.stage.net.now + time;
        self.gateways[number].drain(until, &mut self.stage);
        self.stage.model.saw("a gateway was drained");
        self.trouble(time + REDIAL);
    }

    fn race(&mut self) -> Result<(), String> {
        if self.client.streams.is_empty() {
            return Ok(());
        }
        let number = self.stage.net.rng.index(self.client.streams.len());
        let silent = self.stage.net.rng.one_in(2);
        self.trouble(REDIAL);
        self.client.streams[number].race(silent, &mut self.stage)
    }

    /// A gateway that kept what passed through it says it again to the connector, once or twice.
    fn replay(&mut self, twice: bool) {
        let recorded: Vec<(Bytes, Bytes)> = self.stage.recordings.passed.clone();
        let gateway = self.stage.net.rng.index(self.gateways.len());
        let end = self.connector.link_at(gateway, &self.stage.net).map(Net::peer);
        let Some(end) = end.filter(|_| !recorded.is_empty()) else { return };
        let newest = recorded.len() - 1;
        let at = if twice { newest } else { self.stage.net.rng.index(recorded.len()) };
        for _ in 0..if twice { 2 } else { 1 } {
            let (metadata, early) = recorded[at].clone();
            self.stage.model.saw("a gateway replayed an attempt");
            if let Ok(lane) = self.stage.net.link(end).open(Open { flow: 9, metadata, early }) {
                self.chaos.own_lanes.push((end, lane));
                self.stage.recordings.replayed.insert((Net::peer(end), lane));
            }
        }
    }

    /// The gateways let go of the lanes that they should not have opened.
    pub(super) fn repent(&mut self) {
        for (end, lane) in std::mem::take(&mut self.chaos.own_lanes) {
            let reset = Reset { code: 1012, class: ResetClass::Detach };
            self.stage.net.link(end).reset(lane, reset);
        }
    }

    /// What a gateway that signs anything could try against a stream that the connector holds.
    fn forge(&mut self) {
        let live = self.connector.held.values().filter(|held| held.carrier.stream.over().is_none());
        let live: Vec<(StreamId, SessionId)> =
            live.map(|held| (held.carrier.stream.id(), held.session)).collect();
        let gateway = self.stage.net.rng.index(self.gateways.len());
        let end = self.connector.link_at(gateway, &self.stage.net).map(Net::peer);
        let Some(end) = end.filter(|_| !live.is_empty()) else { return };
        let (stream, session) = self.stage.net.rng.pick(&live);
        let (metadata, early) = hostile::forged(stream, session, &mut self.stage);
        self.stage.model.saw("a gateway forged an attempt");
        let _refused = self.stage.net.link(end).open(Open { flow: 9, metadata, early });
    }

    fn kill_connector(&mut self) {
        let time = self.stage.net.rng.millis(50, 3_000);
        let until = self.stage.net.now + time;
        self.connector.restart(until, &mut self.stage);
        self.stage.model.saw("the connector was killed");
        self.trouble(time + SILENCE + REDIAL);
    }

    fn kill_client(&mut self) {
        if !self.client.is_dead {
            let silent = self.stage.net.rng.one_in(3);
            self.client.kill(silent, &mut self.stage);
            self.stage.model.saw("the client was killed");
            self.trouble(SILENCE);
        }
    }
}
