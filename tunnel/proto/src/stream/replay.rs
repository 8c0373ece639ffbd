//! What was sent and not yet acknowledged, ready to be sent again from any byte.

use super::{
    inbound::INITIAL_LIMIT,
    record::{Ack, DATA_MAX, DATA_OVERHEAD, data_header},
};
use crate::Budget;
use bytes::Bytes;
use std::collections::VecDeque;

/// Writes below this are copied, so that they do not keep a read buffer alive until they are acknowledged.
const COPY_BELOW: usize = 4 * 1024;
/// What a chunk costs beside its bytes.
const CHUNK_COST: usize = 64;
/// Pieces of a Data record up to this length are put together by copying: cheaper than more pieces for the lane to keep.
const INLINE_MAX: usize = 1024;

/// One direction's sender. Fin counts as one byte after the last.
#[derive(Debug)]
pub(super) struct Replay {
    chunks: VecDeque<Bytes>,
    /// The offset of the first byte of `chunks`: everything before was acknowledged.
    base: u64,
    /// The offset after the last byte written.
    end: u64,
    /// The application has written everything.
    finished: bool,
    acked: u64,
    /// What goes next on this lane.
    next: u64,
    /// The furthest that was ever sent.
    sent: u64,
    /// The peer takes no bytes beyond this offset.
    limit: u64,
    /// The chunk that holds `next`, and the position in it.
    cursor: (usize, usize),
    cost: usize,
    cap: usize,
    budget: Budget,
}

/// An offset of the peer outside of what is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange;

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl Replay {
    pub(super) fn new(cap: usize, budget: Budget) -> Self {
        Self {
            chunks: VecDeque::new(),
            base: 0,
            end: 0,
            finished: false,
            acked: 0,
            next: 0,
            sent: 0,
            limit: INITIAL_LIMIT,
            cursor: (0, 0),
            cost: 0,
            cap,
            budget,
        }
    }

    /// Bytes that may be written.
    pub(super) fn room(&self) -> usize {
        let cap = self.cap >> self.budget.squeeze();
        if self.finished { 0 } else { cap.saturating_sub(self.cost).saturating_sub(CHUNK_COST) }
    }

    /// Bytes that may be written, if they are at least an eighth of all.
    pub(super) fn worthwhile_room(&self) -> usize {
        let room = self.room();
        if room >= (self.cap >> self.budget.squeeze()) / 8 { room } else { 0 }
    }

    /// Bytes that were written and not sent on this lane.
    pub(super) fn unsent(&self) -> usize {
        usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX)
    }

    pub(super) fn held(&self) -> usize {
        self.cost
    }

    pub(super) fn write(&mut self, bytes: &mut Bytes) -> usize {
        let taken = bytes.len().min(self.room());
        if taken == 0 {
            return 0;
        }
        let front = bytes.split_to(taken);
        let front = if taken < COPY_BELOW { Bytes::copy_from_slice(&front) } else { front };
        self.recost(taken.saturating_add(CHUNK_COST), 0);
        self.end = self.end.saturating_add(wide(taken));
        self.chunks.push_back(front);
        taken
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Everything, Fin included, was acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.finished && self.acked == self.end.saturating_add(1)
    }

    /// Bytes that were written, were not sent on this lane, and may be.
    fn sendable(&self) -> usize {
        let to = self.end.min(self.limit);
        usize::try_from(to.saturating_sub(self.next)).unwrap_or(usize::MAX)
    }

    pub(super) fn has_data(&self) -> bool {
        self.sendable() > 0
    }

    /// Fin is due on this lane: its value.
    pub(super) fn fin(&self) -> Option<u64> {
        (self.finished && self.next == self.end).then_some(self.end)
    }

    pub(super) fn fin_sent(&mut self) {
        self.next = self.end.saturating_add(1);
        self.sent = self.sent.max(self.next);
    }

    /// Appends a Data record of at most `room` bytes in all; says how many it took.
    pub(super) fn put(&mut self, out: &mut Vec<Bytes>, room: usize) -> usize {
        let len = room.saturating_sub(DATA_OVERHEAD).min(DATA_MAX).min(self.sendable());
        if len == 0 {
            return 0;
        }
        let mut joined = data_header(self.next, len, len.min(INLINE_MAX));
        self.advance(len, |piece| {
            if piece.len() <= INLINE_MAX {
                joined.extend_from_slice(&piece);
                return;
            }
            if !joined.is_empty() {
                out.push(std::mem::take(&mut joined).into());
            }
            out.push(piece);
        });
        if !joined.is_empty() {
            out.push(joined.into());
        }
        len.saturating_add(DATA_OVERHEAD)
    }

    /// Hands out the next `len` bytes.
    fn advance(&mut self, len: usize, mut hand_out: impl FnMut(Bytes)) {
        let mut left = len;
        while let Some(chunk) = self.chunks.get(self.cursor.0).filter(|_| left > 0) {
            let from = self.cursor.1;
            let to = chunk.len().min(from.saturating_add(left));
            hand_out(chunk.slice(from..to));
            left -= to - from;
            self.cursor = if to == chunk.len() { (self.cursor.0 + 1, 0) } else { (self.cursor.0, to) };
        }
        self.next = self.next.saturating_add(wide(len));
        self.sent = self.sent.max(self.next);
    }

    /// An Ack: it can only be for what went over this lane, or was acknowledged before.
    pub(super) fn acknowledge(&mut self, ack: Ack) -> Result<(), OutOfRange> {
        if ack.received > self.next {
            return Err(OutOfRange);
        }
        self.limit = self.limit.max(ack.limit);
        self.release(ack.received)
    }

    /// The peer states on another lane what it accepted: go on from there. With `ahead`, bytes went over the lane already,
    /// and only what the peer has beyond them is skipped.
    pub(super) fn resume(&mut self, offset: u64, ahead: bool) -> Result<(), OutOfRange> {
        if offset > self.sent {
            return Err(OutOfRange);
        }
        let next = if ahead { self.next.max(offset) } else { offset };
        // Dropping bytes moves the cursor; it is set anew from `next` in any case.
        self.release(offset)?;
        self.rewind(next);
        Ok(())
    }

    /// Starts again at the first byte that is not acknowledged.
    pub(super) fn restart(&mut self) {
        self.rewind(self.acked.min(self.end));
    }

    fn release(&mut self, offset: u64) -> Result<(), OutOfRange> {
        if offset < self.acked {
            return Err(OutOfRange);
        }
        self.acked = offset;
        while let Some(front) = self.chunks.front() {
            let after = self.base.saturating_add(wide(front.len()));
            if after > offset {
                break;
            }
            self.base = after;
            self.recost(0, front.len().saturating_add(CHUNK_COST));
            self.chunks.pop_front();
            self.cursor = match self.cursor {
                (0, _) => (0, 0),
                (chunk, at) => (chunk - 1, at),
            };
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
        Ok(())
    }

    fn rewind(&mut self, offset: u64) {
        self.next = offset;
        let mut at = usize::try_from(offset.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let mut chunk = 0;
        while let Some(bytes) = self.chunks.get(chunk).filter(|bytes| at >= bytes.len()) {
            at -= bytes.len();
            chunk += 1;
        }
        self.cursor = (chunk, if chunk == self.chunks.len() { 0 } else { at });
    }

    /// Drops every byte; the numbers stay.
    pub(super) fn clear(&mut self) {
        self.recost(0, self.cost);
        self.chunks = VecDeque::new();
        self.base = self.end;
        self.cursor = (0, 0);
    }

    fn recost(&mut self, more: usize, less: usize) {
        self.cost = self.cost.saturating_add(more).saturating_sub(less);
        self.budget.add(more);
        self.budget.sub(less);
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.budget.sub(self.cost);
    }
}
