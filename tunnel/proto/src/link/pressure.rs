//! What happens when a link or the process holds too much: windows fall, then the fullest lane is reset.

use super::{Event, Link, Reset, lane::Lane, window::WINDOW_UNDER_PRESSURE};
use crate::{budget::Pressure, frame::ResetClass};
use postern_ids::Ended;

/// What a lane may hold for sending while the link or the process holds too much.
const SEND_BUFFER_UNDER_PRESSURE: u32 = 16 * 1024;
/// What all lanes that have something to send may hold together, beyond a chunk each: bytes that wait behind those of many
/// others leave the processor's caches before they are sent.
const SEND_BUFFERS: u32 = 512 * 1024;
/// Chunks that a lane may hold for sending: many tiny writes cost more than their bytes.
const SEND_CHUNKS_MAX: u32 = 1024;

/// A whole chunk.
const CHUNK: u32 = 64 * 1024;

impl Link {
    fn pressure(&self) -> (Pressure, Pressure) {
        (Pressure::of(self.buffered, self.config.limits.buffered_max), self.config.budget.pressure())
    }

    pub(super) fn is_pressed(&self) -> bool {
        let (link, process) = self.pressure();
        link.max(process) > Pressure::None
    }

    fn send_buffer(&self) -> u32 {
        let full = self.config.limits.send_buffer;
        if self.is_pressed() {
            return full.min(SEND_BUFFER_UNDER_PRESSURE);
        }
        let sending = u32::try_from(self.schedule.len()).unwrap_or(u32::MAX);
        full.min(SEND_BUFFERS.checked_div(sending).unwrap_or(full).max(CHUNK))
    }

    /// Bytes that an open lane may still queue for sending.
    pub(super) fn room(&self, lane: &Lane) -> usize {
        if lane.outbox.chunks >= SEND_CHUNKS_MAX {
            return 0;
        }
        usize::try_from(self.send_buffer().saturating_sub(lane.outbox.bytes)).unwrap_or(0)
    }

    /// Whether a writer that waits should be woken: at half, so that it does not come for crumbs.
    pub(super) fn has_room_again(&self, lane: &Lane) -> bool {
        lane.outbox.bytes <= self.send_buffer() / 2 && lane.outbox.chunks <= SEND_CHUNKS_MAX / 2
    }

    /// Resets the fullest lanes until the link and the process are within their limits.
    pub(super) fn relieve(&mut self) {
        loop {
            let least = match self.pressure() {
                (Pressure::Hard | Pressure::Critical, _) | (_, Pressure::Critical) => 0,
                // Another link fills the process: a lane here that holds no more than the fallen window is not to blame.
                (_, Pressure::Hard) => usize::try_from(WINDOW_UNDER_PRESSURE).unwrap_or(usize::MAX),
                (Pressure::None | Pressure::Soft, Pressure::None | Pressure::Soft) => return,
            };
            let fullest = self.lanes.iter().max_by_key(|(_, lane)| lane.cost());
            let Some((_, lane)) = fullest.filter(|(_, lane)| lane.cost() > least) else { return };
            let (id, reset) = (lane.id, Reset { code: Ended::Limit.code(), class: ResetClass::End });
            self.reset(id, reset);
            self.events.push_back(Event::Reset { lane: id, reset });
            self.events.push_back(Event::LimitHit("buffered bytes"));
        }
    }
}
