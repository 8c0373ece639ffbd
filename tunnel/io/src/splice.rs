//! Lane to TCP connection: what connectors and clients do with a session.

use crate::{Cut, ForwardEnd, Forwarded, Lane, Side, carried::lane_end, lane::CHUNK_MAX, pool};
use bytes::Bytes;
use postern_ids::Ended;
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{io::AsyncWrite, net::TcpStream};

/// Chunks of one direction before the other has its turn, and the task of the link, which waits for the end of this one.
const TURN_MAX: usize = 4;

/// Carries bytes between a lane (A) and a TCP connection (B) until both directions are closed, one of them is lost, or
/// the cut is given. Half-close is kept both ways. A TCP connection that breaks resets the lane with `target_failed`;
/// who it was that failed is for the gateway to say, which knows both sides. An idle session holds no buffer.
pub async fn splice(mut lane: Lane, mut tcp: TcpStream, cut: Cut) -> Forwarded {
    let mut splice = Splice::default();
    let end = {
        let mut given = std::pin::pin!(cut.wait());
        poll_fn(|cx| match given.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(ForwardEnd::Cut(ended)),
            Poll::Pending => splice.poll(cx, &mut lane, &mut tcp),
        })
        .await
    };
    match end {
        ForwardEnd::Cut(ended) => lane.cut(ended.code()),
        ForwardEnd::Tcp(_) => lane.cut(Ended::TargetFailed.code()),
        ForwardEnd::Finished
        | ForwardEnd::Reset { .. }
        | ForwardEnd::LinkLost { .. }
        | ForwardEnd::Detached(_) => {}
    }
    Forwarded { up: splice.out.carried, down: splice.in_.carried, end }
}

#[derive(Debug, Default)]
struct Splice {
    out: Half,
    in_: Half,
}

/// One direction: at most one chunk under way.
#[derive(Debug, Default)]
struct Half {
    chunk: Bytes,
    carried: u64,
    is_finished: bool,
}

/// What ended a direction, and whether it stopped only to let the other have its turn.
type Turn = Result<bool, ForwardEnd>;

impl Splice {
    fn poll(&mut self, cx: &mut Context<'_>, lane: &mut Lane, tcp: &mut TcpStream) -> Poll<ForwardEnd> {
        let turns =
            self.out.poll_out(cx, lane, tcp).and_then(|out| Ok(out | self.in_.poll_in(cx, lane, tcp)?));
        match turns {
            Err(end) => return Poll::Ready(end),
            Ok(true) => cx.waker().wake_by_ref(),
            Ok(false) => {}
        }
        if self.out.is_finished && self.in_.is_finished {
            return Poll::Ready(ForwardEnd::Finished);
        }
        // A direction that waits for TCP hears nothing of its lane.
        lane.poll_ended(cx).map(|end| lane_end(Side::A, end))
    }
}

impl Half {
    /// Lane to TCP. Credit goes back as the kernel takes the bytes.
    fn poll_out(&mut self, cx: &mut Context<'_>, lane: &mut Lane, tcp: &mut TcpStream) -> Turn {
        let mut consumed = 0;
        for _ in 0..TURN_MAX {
            if self.is_finished {
                return Ok(false);
            }
            if self.chunk.is_empty() {
                match lane.poll_chunk(cx, std::mem::take(&mut consumed), CHUNK_MAX) {
                    Poll::Ready(Ok(Some(chunk))) => self.chunk = chunk,
                    Poll::Ready(Ok(None)) => match Pin::new(&mut *tcp).poll_shutdown(cx) {
                        Poll::Ready(shut) => {
                            // A target that has gone already has had every byte.
                            shut.or_else(if_not_connected).map_err(|error| tcp_end(&error))?;
                            self.is_finished = true;
                            return Ok(false);
                        }
                        Poll::Pending => return Ok(false),
                    },
                    Poll::Ready(Err(end)) => return Err(lane_end(Side::A, end)),
                    Poll::Pending => return Ok(false),
                }
            }
            match write(cx, tcp, &self.chunk) {
                Poll::Ready(written) => {
                    let written = written.map_err(|error| tcp_end(&error))?;
                    let _ = self.chunk.split_to(written);
                    self.carried += written as u64;
                    consumed += written;
                }
                Poll::Pending => {
                    lane.consume(consumed);
                    return Ok(false);
                }
            }
        }
        lane.consume(consumed);
        Ok(true)
    }

    /// TCP to lane. Nothing is read while the lane has no room for what was read before.
    fn poll_in(&mut self, cx: &mut Context<'_>, lane: &mut Lane, tcp: &TcpStream) -> Turn {
        for _ in 0..TURN_MAX {
            if self.is_finished {
                return Ok(false);
            }
            if self.chunk.is_empty() {
                match read(cx, tcp) {
                    Poll::Ready(Ok(chunk)) if chunk.is_empty() => {
                        lane.finish().map_err(|end| lane_end(Side::A, end))?;
                        self.is_finished = true;
                        return Ok(false);
                    }
                    Poll::Ready(Ok(chunk)) => self.chunk = chunk,
                    Poll::Ready(Err(error)) => return Err(tcp_end(&error)),
                    Poll::Pending => return Ok(false),
                }
            }
            let before = self.chunk.len();
            let sent = lane.poll_send(cx, &mut self.chunk);
            self.carried += (before - self.chunk.len()) as u64;
            match sent {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => return Err(lane_end(Side::A, end)),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Reads what is there; empty at the end. A buffer is taken only when there is something to read.
fn read(cx: &mut Context<'_>, tcp: &TcpStream) -> Poll<io::Result<Bytes>> {
    loop {
        ready!(tcp.poll_read_ready(cx))?;
        match pool::read_with(|buffer| tcp.try_read_buf(buffer)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

fn write(cx: &mut Context<'_>, tcp: &TcpStream, bytes: &[u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_write_ready(cx))?;
        match tcp.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

fn if_not_connected(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }
}

fn tcp_end(error: &io::Error) -> ForwardEnd {
    ForwardEnd::Tcp(error.kind())
}
