//! One end of a stream with its program and the lane that carries it: what client and connector have in common.

use super::{App, older::Older, write_all};
use crate::{
    model::{Side, Told},
    stage::{LaneAt, Sabotage, Stage, terms::REPLAY_MAX},
};
use bytes::Bytes;
use postern_ids::Ended;
use postern_tunnel_proto::{
    Read, Reset, ResetClass,
    stream::{Event, LaneEnd, Over, Poll, SUPERSEDED, Stream},
};
use std::time::{Duration, Instant};

/// How long the peer has to finish the last lane of a stream that is over.
const LINGER: Duration = Duration::from_secs(10);
/// What one read of a lane can add to what waits.
const ONE_READ: usize = 64 * 1024;

pub(crate) struct Carrier {
    pub(crate) stream: Stream,
    app: App,
    side: Side,
    /// The newest lane, while it lives and is open.
    pub(crate) lane: Option<LaneAt>,
    /// When it is left whatever the peer does: the stream is over.
    leaves_at: Option<Instant>,
    older: Vec<Older>,
    /// Nobody can ask for the stream any more.
    is_forgotten: bool,
}

impl Carrier {
    pub(super) fn new(side: Side, stream: Stream, app: App) -> Self {
        Self { stream, app, side, lane: None, leaves_at: None, older: vec![], is_forgotten: false }
    }

    /// Moves bytes until nothing moves: lane to stream, stream to program, program to stream, stream to lane.
    pub(super) fn drive(&mut self, stage: &mut Stage) -> Result<(), String> {
        if self.stream.poll_timeout().is_some_and(|at| at <= stage.net.now) {
            self.stream.handle_timeout(stage.net.now);
        }
        self.app.tick(stage, &mut self.stream)?;
        self.hear_older_lanes(stage)?;
        self.receive(stage);
        self.send(stage)?;
        self.follow(stage)?;
        if self.leaves_at.is_some_and(|at| at <= stage.net.now) {
            self.leave_lane(stage);
            self.stream.handle_lane_end(self.stream.generation(), LaneEnd::Detached, stage.net.now);
        }
        self.check_bounds(stage)
    }

    fn follow(&mut self, stage: &mut Stage) -> Result<(), String> {
        let (id, now) = (self.stream.id(), stage.net.now);
        while let Some(event) = self.stream.poll_event() {
            stage.net.say(format_args!("{:?} {id}: {event:?}", self.side));
            match event {
                Event::Over(over) => self.on_over(over, stage)?,
                Event::Attached { .. } => stage.model.attached(id, self.side, true, now),
                Event::Detached => {
                    self.leave_lane(stage);
                    stage.model.attached(id, self.side, false, now);
                }
                Event::Forget => self.is_forgotten = true,
                Event::Readable | Event::Writable => {}
            }
        }
        Ok(())
    }

    fn on_over(&mut self, over: Over, stage: &mut Stage) -> Result<(), String> {
        let loud = over.code != Ended::Finished.code();
        if loud && !stage.terms.ends_with_record {
            if let Some((end, lane)) = self.lane.take() {
                stage.net.link(end).reset(lane, Reset { code: over.code, class: ResetClass::End });
            }
        } else if self.lane.is_some() {
            self.leaves_at = Some(stage.net.now + LINGER);
        }
        stage.model.over(self.stream.id(), self.side, over, stage.net.now)
    }

    /// A newer lane carries the stream.
    pub(super) fn set_lane(&mut self, at: LaneAt, stage: &mut Stage) -> Option<LaneAt> {
        if self.stream.over().is_some() {
            self.leaves_at = Some(stage.net.now + LINGER);
        }
        self.lane.replace(at)
    }

    /// The stream left a lane that may still be there.
    fn leave_lane(&mut self, stage: &mut Stage) {
        self.leaves_at = None;
        if let Some((end, lane)) = self.lane.take() {
            stage.net.link(end).reset(lane, Reset { code: SUPERSEDED, class: ResetClass::Detach });
        }
    }

    fn hear_older_lanes(&mut self, stage: &mut Stage) -> Result<(), String> {
        for older in std::mem::take(&mut self.older) {
            if older.hear(&mut self.stream, stage)? {
                self.older.push(older);
            }
        }
        Ok(())
    }

    /// A lane of an earlier attempt that is not told yet.
    pub(super) fn keep_older(&mut self, at: LaneAt, generation: u32, is_open: bool, stage: &mut Stage) {
        self.older.push(Older::new(at, generation, is_open, stage));
    }

    /// A lane of an earlier attempt was accepted after all, or is over.
    pub(super) fn older_lane(&mut self, at: LaneAt, is_open: bool) {
        self.older.retain(|older| is_open || older.at != at);
        let opened = self.older.iter_mut().find(|older| older.at == at);
        opened.into_iter().for_each(|older| older.is_open = true);
    }

    fn receive(&mut self, stage: &mut Stage) {
        let Some((end, lane)) = self.lane else { return };
        let generation = self.stream.generation();
        loop {
            let now = stage.net.now;
            match stage.net.link(end).read(lane, usize::MAX) {
                Ok(Read::Chunk(chunk)) => {
                    stage.net.link(end).consume(lane, chunk.len(), now);
                    self.stream.handle_bytes(generation, chunk, now);
                }
                Ok(Read::Blocked) => return,
                Ok(Read::Finished) => {
                    if self.stream.over().is_none() {
                        self.stream.handle_lane_end(generation, LaneEnd::Detached, now);
                    }
                    return;
                }
                // Its end is news that is still to come.
                Err(_) => return,
            }
        }
    }

    fn send(&mut self, stage: &mut Stage) -> Result<(), String> {
        while let Some((end, lane)) = self.lane {
            let mut out = vec![];
            let room = stage.net.link(end).writable(lane);
            match self.stream.poll_transmit(&mut out, room, stage.net.now) {
                Poll::Idle => return Ok(()),
                Poll::Records => {
                    self.account(&out, stage)?;
                    write_all(stage, (end, lane), out)?;
                }
                Poll::FinishLane => {
                    let _gone = stage.net.link(end).finish(lane);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The model hears everything that is said.
    pub(super) fn account(&self, records: &[Bytes], stage: &mut Stage) -> Result<(), String> {
        let (id, side) = (self.stream.id(), self.side);
        let told = Told { side, generation: self.stream.generation(), received: self.stream.received() };
        let line = stage.model.spoke(id, told, &records.concat())?;
        stage.net.say(format_args!("{side:?} {id} says:{line}"));
        Ok(())
    }

    /// D13, and that nothing is dropped before its time.
    fn check_bounds(&self, stage: &mut Stage) -> Result<(), String> {
        let (id, held, unread) = (self.stream.id(), self.stream.replay_held(), self.stream.unread());
        if held > REPLAY_MAX || unread > stage.terms.unread_max.max(ONE_READ) {
            return Err(format!("D13: {id} holds {held} bytes to send again, {unread} unread"));
        }
        match self.stream.over() {
            Some(_) => Ok(()),
            None => stage.model.holds_the_unsent(id, self.side, held),
        }
    }

    /// The lane that carries the stream is gone.
    pub(super) fn lane_over(&mut self, end: LaneEnd, stage: &mut Stage) -> Result<(), String> {
        self.lane = None;
        let is_forgotten = match self.stream.over() {
            Some(_) => stage.sabotages(Sabotage::LeavesUntold),
            None => stage.sabotages(Sabotage::ForgetsLostLanes),
        };
        if !is_forgotten {
            self.stream.handle_lane_end(self.stream.generation(), end, stage.net.now);
        }
        // Before another lane comes.
        self.follow(stage)
    }

    /// Both ends of a lane finished it.
    pub(super) fn lane_done(&mut self) {
        (self.lane, self.leaves_at) = (None, None);
    }

    /// Nobody can ask for it any more, and nothing of it is left here.
    pub(super) fn is_forgotten(&self) -> bool {
        self.is_forgotten && self.lane.is_none() && self.older.is_empty() && self.is_done()
    }

    /// The stream is over, and its program read what it may.
    pub(crate) fn is_done(&self) -> bool {
        self.stream.over().is_some_and(|over| over.code != Ended::Finished.code() || self.app.saw_end)
    }

    /// When something is due here.
    pub(super) fn next(&self) -> impl Iterator<Item = Instant> {
        let tick = (!self.is_done()).then_some(self.app.next_tick);
        let older = self.older.iter().map(|older| older.leaves_at);
        [tick, self.stream.poll_timeout(), self.leaves_at].into_iter().flatten().chain(older)
    }
}
