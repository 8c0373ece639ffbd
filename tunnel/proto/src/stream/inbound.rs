//! What came, in order and without gaps, and how much more may come.

use super::record::Ack;
use crate::Budget;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// What each side may send before the first Ack.
pub(super) const INITIAL_LIMIT: u64 = 64 * 1024;
/// A peer that may send no more than this is told of more room as soon as there is some.
const LOW: u64 = INITIAL_LIMIT / 2;
/// Pieces below this are put together while others wait: a byte of its own would cost a hundred.
const COPY_BELOW: usize = 4 * 1024;

/// One direction's receiver.
#[derive(Debug)]
pub(super) struct Inbound {
    queue: VecDeque<Bytes>,
    /// Small pieces behind those of the queue.
    tail: BytesMut,
    queued: usize,
    /// Bytes accepted.
    offset: u64,
    finished: bool,
    /// The peer was told that it may send up to here.
    limit: u64,
    /// The peer may have missed that: it came over a lane that is gone.
    untold: bool,
    /// Bytes that may wait to be read.
    max: usize,
    budget: Budget,
}

/// What the peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It left something out, or went on after its Fin.
    Gap,
    /// It sent more than it may.
    BeyondLimit,
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl Inbound {
    pub(super) fn new(max: usize, budget: Budget) -> Self {
        Self {
            queue: VecDeque::new(),
            tail: BytesMut::new(),
            queued: 0,
            offset: 0,
            finished: false,
            limit: INITIAL_LIMIT,
            untold: false,
            max,
            budget,
        }
    }

    /// Everything accepted; Fin counts as one.
    pub(super) fn received(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.finished))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether more waits here than a process that holds far too much lets anybody keep.
    pub(super) fn is_greedy(&self) -> bool {
        self.queued > self.max / 16 && wide(self.queued) > INITIAL_LIMIT
    }

    /// Takes bytes at `offset`; what was accepted before is dropped. Says how many are new.
    pub(super) fn accept(&mut self, offset: u64, mut bytes: Bytes) -> Result<usize, Wrong> {
        let known = self.offset.checked_sub(offset).ok_or(Wrong::Gap)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
        bytes.advance(known);
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.finished {
            return Err(Wrong::Gap);
        }
        let new = bytes.len();
        let offset = self.offset.saturating_add(wide(new));
        if offset > self.limit {
            return Err(Wrong::BeyondLimit);
        }
        self.offset = offset;
        self.queued = self.queued.saturating_add(new);
        self.budget.add(new);
        self.push(bytes);
        Ok(new)
    }

    fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPY_BELOW && !self.queue.is_empty() {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        if !self.tail.is_empty() {
            self.queue.push_back(std::mem::take(&mut self.tail).freeze());
        }
        self.queue.push_back(bytes);
    }

    pub(super) fn finish(&mut self, length: u64) -> Result<(), Wrong> {
        if length != self.offset {
            return Err(Wrong::Gap);
        }
        self.finished = true;
        Ok(())
    }

    pub(super) fn read(&mut self, max: usize) -> Option<Bytes> {
        if self.queue.is_empty() && !self.tail.is_empty() {
            self.queue.push_back(std::mem::take(&mut self.tail).freeze());
        }
        let front = self.queue.front_mut()?;
        let chunk = front.split_to(max.min(front.len()));
        if front.is_empty() {
            self.queue.pop_front();
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        self.queued = self.queued.saturating_sub(chunk.len());
        self.budget.sub(chunk.len());
        Some(chunk)
    }

    /// How far the peer may be let: less than it was told never counts.
    fn wanted_limit(&self) -> u64 {
        let read = self.offset.saturating_sub(wide(self.queued));
        read.saturating_add(wide(self.max >> self.budget.squeeze())).max(self.limit)
    }

    /// The peer may be waiting for room that there is.
    pub(super) fn owes_limit(&self) -> bool {
        let is_low = self.limit.saturating_sub(self.offset) <= LOW;
        let is_worth_it = || self.wanted_limit().saturating_sub(self.limit) >= wide(self.max / 8).max(1);
        !self.finished && (self.untold || (is_low && is_worth_it()))
    }

    /// What the peer is told.
    pub(super) fn ack(&mut self) -> Ack {
        self.limit = self.wanted_limit();
        self.untold = false;
        Ack { received: self.received(), limit: self.limit }
    }

    /// Another lane carries the stream from here. `eager` tells the limit at once, though the peer waits for nothing.
    pub(super) fn change_lane(&mut self, eager: bool) {
        self.untold = eager || self.limit > INITIAL_LIMIT;
    }

    pub(super) fn clear(&mut self) {
        self.budget.sub(self.queued);
        (self.queue, self.tail, self.queued) = (VecDeque::new(), BytesMut::new(), 0);
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.budget.sub(self.queued);
    }
}
