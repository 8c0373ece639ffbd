//! Queues of `Bytes` for many lanes in one arena, so that a lane with nothing queued holds no memory.

use super::arena::{Arena, NONE};
use bytes::Bytes;

/// What a queued chunk costs beside its bytes: its node and its share of an allocation.
pub(super) const CHUNK_COST: usize = 128;

#[derive(Debug)]
struct Node {
    bytes: Bytes,
    next: u32,
}

/// All chunks of a link.
#[derive(Debug, Default)]
pub(super) struct Chunks(Arena<Node>);

/// One lane's queue in one direction.
#[derive(Debug)]
pub(super) struct Queue {
    head: u32,
    tail: u32,
    /// Chunks in the queue.
    pub(super) chunks: u32,
    /// Bytes in the queue.
    pub(super) bytes: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, chunks: 0, bytes: 0 }
    }
}

impl Queue {
    /// What the queue holds in memory.
    pub(super) fn cost(&self) -> usize {
        let chunks = usize::try_from(self.chunks).unwrap_or(usize::MAX);
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_add(chunks.saturating_mul(CHUNK_COST))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

impl Chunks {
    pub(super) fn push(&mut self, queue: &mut Queue, bytes: Bytes) {
        queue.bytes = queue.bytes.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        queue.chunks = queue.chunks.saturating_add(1);
        let index = self.0.insert(Node { bytes, next: NONE });
        match self.0.get_mut(queue.tail) {
            Some(tail) => tail.next = index,
            None => queue.head = index,
        }
        queue.tail = index;
    }

    /// Takes up to `max` bytes from the front: the first chunk, or the front of it.
    pub(super) fn pop(&mut self, queue: &mut Queue, max: usize) -> Option<Bytes> {
        let node = self.0.get_mut(queue.head)?;
        if node.bytes.len() > max {
            let front = node.bytes.split_to(max);
            queue.bytes = queue.bytes.saturating_sub(u32::try_from(front.len()).unwrap_or(u32::MAX));
            return Some(front);
        }
        let node = self.0.remove(queue.head)?;
        queue.bytes = queue.bytes.saturating_sub(u32::try_from(node.bytes.len()).unwrap_or(u32::MAX));
        queue.chunks = queue.chunks.saturating_sub(1);
        queue.head = node.next;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        Some(node.bytes)
    }

    pub(super) fn clear(&mut self, queue: &mut Queue) {
        while self.pop(queue, usize::MAX).is_some() {}
    }
}
