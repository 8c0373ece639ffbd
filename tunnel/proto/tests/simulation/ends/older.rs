//! A lane that was superseded and still speaks for a while: the stream must not listen.

use crate::stage::{LaneAt, Sabotage, Stage};
use postern_tunnel_proto::{
    Read, Reset, ResetClass,
    stream::{LaneEnd, SUPERSEDED, Stream},
};
use std::time::Instant;

pub(super) struct Older {
    pub(super) at: LaneAt,
    generation: u32,
    /// It was accepted: before that there is nothing to read.
    pub(super) is_open: bool,
    /// Then its end here lets go.
    pub(super) leaves_at: Instant,
}

impl Older {
    pub(super) fn new(at: LaneAt, generation: u32, is_open: bool, stage: &mut Stage) -> Self {
        let leaves_at = stage.net.now + stage.net.rng.millis(10, 12_000);
        Self { at, generation, is_open, leaves_at }
    }

    /// Gives what it says to the stream. D12: that changes nothing. False when it is over.
    pub(super) fn hear(&self, stream: &mut Stream, stage: &mut Stage) -> Result<bool, String> {
        let state =
            |stream: &Stream| (stream.received(), stream.unread(), stream.replay_held(), stream.over());
        let before = state(stream);
        let goes_on = self.read(stream, stage);
        if before != state(stream) {
            return Err(format!("D12: {} listens to an older lane", stream.id()));
        }
        let ((end, lane), stays) = (self.at, goes_on && self.leaves_at > stage.net.now);
        if !stays {
            // A lane that only its peer has finished would keep its session at a gateway for ever.
            stage.net.link(end).reset(lane, Reset { code: SUPERSEDED, class: ResetClass::Detach });
        }
        Ok(stays)
    }

    fn read(&self, stream: &mut Stream, stage: &mut Stage) -> bool {
        let ((end, lane), now) = (self.at, stage.net.now);
        let sabotaged = stage.sabotages(Sabotage::HearsOlderLanes);
        let generation = if sabotaged { stream.generation() } else { self.generation };
        if !self.is_open {
            return true;
        }
        loop {
            match stage.net.link(end).read(lane, usize::MAX) {
                Ok(Read::Chunk(chunk)) => {
                    stage.model.saw("an older lane delivered");
                    stage.net.link(end).consume(lane, chunk.len(), now);
                    stream.handle_bytes(generation, chunk, now);
                }
                Ok(Read::Blocked) => return true,
                Ok(Read::Finished) | Err(_) => {
                    stream.handle_lane_end(self.generation, LaneEnd::Detached, now);
                    return false;
                }
            }
        }
    }
}
