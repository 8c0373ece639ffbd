//! One end of a stream with its program and the lane that carries it: what client and connector have in common.

use crate::{
    app::App,
    net::{EndId, Net},
};
use bytes::Bytes;
use postern_tunnel_proto::{
    LaneId, Read, Reset, ResetClass,
    stream::{Event, LaneEnd, Over, Poll, SUPERSEDED, Stream},
};

pub(crate) struct Carrier {
    pub(crate) stream: Stream,
    pub(crate) app: App,
    /// The newest lane, while it lives and is open.
    pub(crate) lane: Option<(EndId, LaneId)>,
    /// Lanes that were superseded and still speak, with their generations: the stream must not listen.
    pub(crate) zombies: Vec<((EndId, LaneId), u32)>,
    pub(crate) ends: Vec<Over>,
    pub(crate) name: &'static str,
    /// No byte may reach the program any more: how many it had.
    pub(crate) sealed: Option<u64>,
}

impl Carrier {
    pub(crate) fn new(name: &'static str, stream: Stream, app: App) -> Self {
        Self { stream, app, lane: None, zombies: vec![], ends: vec![], name, sealed: None }
    }

    /// Moves bytes until nothing moves: lane to stream, stream to program, program to stream, stream to lane.
    pub(crate) fn drive(&mut self, net: &mut Net) -> Result<(), String> {
        self.app.tick(net, &mut self.stream)?;
        if self.sealed.is_some_and(|received| received != self.app.received) {
            return Err("bytes were delivered after the stream was killed".into());
        }
        if self.stream.poll_timeout().is_some_and(|at| at <= net.now) {
            self.stream.handle_timeout(net.now);
        }
        self.hear_zombies(net);
        self.receive(net);
        self.send(net)?;
        while let Some(event) = self.stream.poll_event() {
            net.say(format_args!("{} {:?}: {event:?}", self.name, self.stream.id()));
            match event {
                Event::Over(over) => self.ends.push(over),
                Event::Detached => self.leave_lane(net),
                _ => {}
            }
        }
        if self.ends.len() > 1 {
            return Err(format!("ended more than once: {:?}", self.ends));
        }
        self.check_bounds()
    }

    /// The stream left a lane that may still be there.
    fn leave_lane(&mut self, net: &mut Net) {
        if let Some((end, lane)) = self.lane.take() {
            net.link(end).reset(lane, Reset { code: SUPERSEDED, class: ResetClass::Detach });
        }
    }

    fn hear_zombies(&mut self, net: &mut Net) {
        let Self { zombies, stream, .. } = self;
        zombies.retain(|&((end, lane), generation)| {
            loop {
                let now = net.now;
                match net.link(end).read(lane, usize::MAX) {
                    Ok(Read::Chunk(chunk)) => {
                        net.link(end).consume(lane, chunk.len(), now);
                        stream.handle_bytes(generation, chunk, now);
                    }
                    Ok(Read::Blocked) => return true,
                    Ok(Read::Finished) | Err(_) => {
                        stream.handle_lane_end(generation, LaneEnd::Detached, now);
                        return false;
                    }
                }
            }
        });
    }

    fn receive(&mut self, net: &mut Net) {
        let Some((end, lane)) = self.lane else { return };
        let generation = self.stream.generation();
        loop {
            match net.link(end).read(lane, usize::MAX) {
                Ok(Read::Chunk(chunk)) => {
                    let now = net.now;
                    net.link(end).consume(lane, chunk.len(), now);
                    self.stream.handle_bytes(generation, chunk, now);
                }
                Ok(Read::Blocked) => return,
                Ok(Read::Finished) => {
                    self.stream.handle_lane_end(generation, LaneEnd::Detached, net.now);
                    return;
                }
                Err(_) => {
                    self.lane = None;
                    return;
                }
            }
        }
    }

    fn send(&mut self, net: &mut Net) -> Result<(), String> {
        while let Some((end, lane)) = self.lane {
            let mut out = vec![];
            let room = net.link(end).writable(lane);
            match self.stream.poll_transmit(&mut out, room, net.now) {
                Poll::Idle => return Ok(()),
                Poll::Records => write_all(net, end, lane, out)?,
                Poll::FinishLane => {
                    let _gone = net.link(end).finish(lane);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), String> {
        let held = self.stream.replay_held();
        if held > 64 * 1024 {
            return Err(format!("{held} bytes wait for their acknowledgement"));
        }
        let unread = self.stream.unread();
        if unread > 16 * 1024 + 70_000 {
            return Err(format!("{unread} bytes wait to be read"));
        }
        Ok(())
    }

    /// The lane that carries the stream is gone.
    pub(crate) fn lane_over(&mut self, end: LaneEnd, net: &mut Net) {
        self.lane = None;
        self.stream.handle_lane_end(self.stream.generation(), end, net.now);
    }
}

/// What `writable` promised, `write` must take.
pub(crate) fn write_all(net: &mut Net, end: EndId, lane: LaneId, pieces: Vec<Bytes>) -> Result<(), String> {
    for mut piece in pieces {
        let len = piece.len();
        match net.link(end).write(lane, &mut piece) {
            Ok(taken) if taken == len => {}
            other => return Err(format!("a lane took {other:?} of {len} promised bytes")),
        }
    }
    Ok(())
}
