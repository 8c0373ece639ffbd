//! The two directions of an engine: lane to stream to local, and local to stream to lane.

use super::{Engine, Local, Parting};
use crate::lane::CHUNK_MAX;
use postern_tunnel_proto::{Read, stream::DATA_OVERHEAD};
use std::{
    io,
    task::{Context, Poll},
    time::Instant,
};

/// Chunks of one direction before the other has its turn, before what came is acknowledged, and before the task of the
/// link has its own: what was woken here waits for the end of this turn.
const CHUNKS_MAX: usize = 4;
/// With its header, a read of this size is one frame of a lane.
const READ_MAX: usize = CHUNK_MAX - DATA_OVERHEAD;

impl<L: Local> Engine<L> {
    pub(super) fn move_bytes(&mut self, cx: &mut Context<'_>, now: Instant) {
        let mut is_busy = self.receive(cx, now);
        is_busy |= self.deliver(cx, now);
        is_busy |= self.collect(cx, now);
        self.transmit(cx, now);
        self.follow();
        if is_busy {
            cx.waker().wake_by_ref();
        }
    }

    /// Lane to stream; true when there may be more. The lane is always read: what may come is limited by the stream.
    fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut consumed = 0;
        for _ in 0..CHUNKS_MAX {
            let Some(lane) = self.lane.as_ref().filter(|_| !self.parting.peers) else { return false };
            match lane.poll_chunk(cx, consumed, CHUNK_MAX) {
                Poll::Ready(Ok(Some(chunk))) => {
                    consumed = chunk.len();
                    self.stream.handle_bytes(self.stream.generation(), chunk, now);
                    self.deliver(cx, now);
                }
                Poll::Ready(Ok(None)) => {
                    self.peer_finished(now);
                    return false;
                }
                Poll::Ready(Err(end)) => {
                    self.lane_over(end, now);
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        if let Some(lane) = &self.lane {
            lane.consume(consumed);
        }
        true
    }

    /// Stream to local; true when there may be more.
    fn deliver(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let delivered = self.try_deliver(cx);
        delivered.unwrap_or_else(|error| self.local_broke(&error, now))
    }

    fn try_deliver(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        for _ in 0..CHUNKS_MAX {
            let Some(local) = &mut self.local else { return Ok(false) };
            if self.inward.is_empty() {
                match self.stream.read(CHUNK_MAX) {
                    Some(Read::Chunk(chunk)) => self.inward = chunk,
                    Some(Read::Finished) => return self.shut(cx).map(|()| false),
                    Some(Read::Blocked) | None => return self.flush(cx).map(|()| false),
                }
            }
            let Poll::Ready(written) = local.poll_write(cx, &self.inward) else { return Ok(false) };
            let written = written?;
            self.written += written as u64;
            self.is_unflushed = true;
            drop(self.inward.split_to(written));
        }
        Ok(true)
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.is_unflushed
            && let Some(local) = &mut self.local
            && let Poll::Ready(flushed) = local.poll_flush(cx)
        {
            flushed?;
            self.is_unflushed = false;
        }
        Ok(())
    }

    /// The peer's direction is at its end.
    fn shut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_shut
            && let Some(local) = &mut self.local
            && let Poll::Ready(shut) = local.poll_shutdown(cx)
        {
            shut?;
            self.is_shut = true;
        }
        if self.is_shut && self.stream.over().is_some() {
            self.local = None;
        }
        Ok(())
    }

    /// Local to stream and on to the lane; true when there may be more.
    fn collect(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for _ in 0..CHUNKS_MAX {
            match self.try_collect(cx) {
                Ok(true) => self.transmit(cx, now),
                Ok(false) => return false,
                Err(error) => return self.local_broke(&error, now),
            }
        }
        true
    }

    fn try_collect(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Some(local) = &mut self.local else { return Ok(false) };
        if self.outward.is_empty() {
            let room = self.stream.appetite().min(READ_MAX);
            if room == 0 {
                return Ok(false);
            }
            let Poll::Ready(bytes) = local.poll_read(cx, room) else { return Ok(false) };
            self.outward = bytes?;
            self.read += self.outward.len() as u64;
            if self.outward.is_empty() {
                self.stream.finish();
                return Ok(true);
            }
        }
        // The process' budget may have shrunk the buffer meanwhile.
        Ok(self.stream.write(&mut self.outward).is_ok() && self.outward.is_empty())
    }

    /// Stream to lane, until one of them has enough.
    fn transmit(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Self { stream, lane: Some(lane), parting: Parting { ours: None, .. }, .. } = self else { return };
        match lane.poll_fill(cx, |out, room| stream.poll_transmit(out, room, now)) {
            Ok(false) => {}
            Ok(true) => {
                self.parting.ours = Some(now);
                self.leave_if_parted();
            }
            Err(end) => self.lane_over(end, now),
        }
    }
}
