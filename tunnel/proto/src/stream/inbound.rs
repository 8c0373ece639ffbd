//! What came, in order and without gaps, and what of it the lane is to be credited for.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;

/// One direction's receiver.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Queued bytes of earlier lanes: no credit is owed for them.
    foreign: usize,
    /// Bytes accepted.
    offset: u64,
    finished: bool,
    /// Bytes of the lane that were dealt with and not yet credited.
    credit: usize,
}

/// The peer left something out, or went on after its Fin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap;

impl Inbound {
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

    /// Takes bytes at `offset`; what was accepted before is dropped. Says how many are new.
    pub(super) fn accept(&mut self, offset: u64, mut bytes: Bytes) -> Result<usize, Gap> {
        let known = self.offset.checked_sub(offset).ok_or(Gap)?;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
        bytes.advance(known);
        self.credit = self.credit.saturating_add(known);
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.finished {
            return Err(Gap);
        }
        let new = bytes.len();
        self.offset = self.offset.saturating_add(u64::try_from(new).unwrap_or(u64::MAX));
        self.queued = self.queued.saturating_add(new);
        self.queue.push_back(bytes);
        Ok(new)
    }

    pub(super) fn finish(&mut self, length: u64) -> Result<(), Gap> {
        if length != self.offset {
            return Err(Gap);
        }
        self.finished = true;
        Ok(())
    }

    pub(super) fn read(&mut self, max: usize) -> Option<Bytes> {
        let front = self.queue.front_mut()?;
        let chunk = front.split_to(max.min(front.len()));
        if front.is_empty() {
            self.queue.pop_front();
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        self.queued = self.queued.saturating_sub(chunk.len());
        let foreign = chunk.len().min(self.foreign);
        self.foreign -= foreign;
        self.credit = self.credit.saturating_add(chunk.len() - foreign);
        Some(chunk)
    }

    /// Bytes of the lane that were records, not bytes of the stream.
    pub(super) fn spent(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_add(bytes);
    }

    pub(super) fn take_credit(&mut self) -> usize {
        std::mem::take(&mut self.credit)
    }

    /// Another lane carries the stream from here.
    pub(super) fn change_lane(&mut self) {
        (self.foreign, self.credit) = (self.queued, 0);
    }

    pub(super) fn clear(&mut self) {
        (self.queue, self.queued, self.foreign) = (VecDeque::new(), 0, 0);
    }
}
