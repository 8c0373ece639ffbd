//! What happens to lanes while they are joined: bytes, ends, resets and lost links go from one to the other.

use super::{
    Gateway, detach,
    held::{Held, State},
    refuse,
};
use crate::stage::{EndId, LaneAt, Net, Stage};
use postern_ids::{Ended, Refusal, SessionId};
use postern_tunnel_proto::{Read, Reset, ResetClass};

impl Gateway {
    pub(super) fn move_bytes(&mut self, at: LaneAt, net: &mut Net) {
        let held = self.lanes.get(&at).and_then(|session| self.sessions.get(session));
        if let Some(State::Carried { asker, there }) = held.map(|held| &held.state) {
            forward(*asker, *there, net);
            forward(*there, *asker, net);
        }
    }

    /// One of the lanes of a session is gone.
    pub(super) fn on_reset(&mut self, at: LaneAt, reset: Reset, stage: &mut Stage) -> Result<(), String> {
        let Some(session) = self.lanes.remove(&at) else { return Ok(()) };
        let Some(held) = self.sessions.get_mut(&session) else { return Ok(()) };
        let (asker, there) = held.lanes();
        let is_carried = held.is_carried();
        if asker == Some(at) && reset.class == ResetClass::End && !is_carried {
            // The lane that would have told the connector is not there yet.
            return self.cut(session, reset.code, stage);
        }
        held.state = State::Waiting;
        held.since = stage.net.now;
        let other = if asker == Some(at) { there } else { asker };
        if let Some((end, lane)) = other {
            self.lanes.remove(&(end, lane));
            if is_carried || asker == Some(at) {
                stage.net.link(end).reset(lane, reset);
            } else {
                refuse((end, lane), Refusal::LinkLost.code(), &mut stage.net);
            }
        }
        self.follow_reset(session, asker == Some(at), reset, stage)
    }

    fn follow_reset(
        &mut self,
        session: SessionId,
        by_client: bool,
        reset: Reset,
        stage: &mut Stage,
    ) -> Result<(), String> {
        let Some(held) = self.sessions.get(&session) else { return Ok(()) };
        let (generation, was_asked) = (held.generation, held.home.is_some());
        if reset.class == ResetClass::End {
            return self.end(session, reset.code, stage);
        }
        if !by_client && reset.code == Refusal::Superseded.code() {
            self.leave(session, generation, stage);
            return Ok(());
        }
        // A client that gave up before anybody was asked leaves nothing behind.
        if was_asked { Ok(()) } else { self.end(session, Ended::NotOpened.code(), stage) }
    }

    /// Both directions of a lane were finished: what each end says last is Fin.
    pub(super) fn on_done(&mut self, at: LaneAt, stage: &mut Stage) -> Result<(), String> {
        match self.lanes.get(&at).copied() {
            Some(session) => self.end(session, Ended::Finished.code(), stage),
            None => Ok(()),
        }
    }

    pub(super) fn on_link_lost(&mut self, end: EndId, stage: &mut Stage) -> Result<(), String> {
        let Some(peer) = self.peers.remove(&end) else { return Ok(()) };
        let code = if peer.home().is_some() { Ended::ConnectorLost } else { Ended::ClientLost };
        let lost: Vec<LaneAt> = self.lanes.keys().copied().filter(|(on, _)| *on == end).collect();
        lost.into_iter().try_for_each(|at| self.on_reset(at, detach(code.code()), stage))
    }

    pub(super) fn find(&self, stream: postern_ids::StreamId, key: [u8; 32]) -> Option<&Held> {
        self.sessions.values().find(|held| held.facts.stream == stream && held.facts.key == key)
    }
}

fn forward((from, lane): LaneAt, (to, other): LaneAt, net: &mut Net) {
    let now = net.now;
    loop {
        let room = net.link(to).writable(other);
        if room == 0 {
            return net.link(to).want_write(other);
        }
        match net.link(from).read(lane, room) {
            Ok(Read::Chunk(mut chunk)) => {
                let len = chunk.len();
                let _taken = net.link(to).write(other, &mut chunk);
                net.link(from).consume(lane, len, now);
            }
            Ok(Read::Finished) => {
                let _gone = net.link(to).finish(other);
                return;
            }
            Ok(Read::Blocked) | Err(_) => return,
        }
    }
}
