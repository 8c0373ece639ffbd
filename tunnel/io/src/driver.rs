//! The one task of a link: it moves messages between the machine and the WebSocket, and keeps its timer.

pub(crate) use crate::clock::now;

use crate::{
    shared::{ABNORMAL, Shared},
    socket::{Received, Socket},
};
use bytes::Bytes;
use postern_tunnel_proto::{Outcome, Side};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Sleep,
};

/// What is moved one way in one turn before the task lets others run. It is little: a task that was woken by what came
/// waits in the slot of this thread until the turn ends, while the other threads sleep.
const TURN_BYTES: usize = 256 * 1024;
/// The same for messages, if they are small.
const TURN_MESSAGES: usize = 32;
/// How long a peer has to answer our close.
const LINGER: Duration = Duration::from_secs(1);

/// Runs a link to its end.
pub(crate) async fn drive<S>(shared: Arc<Shared>, stream: S, read_ahead: Bytes, side: Side)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let socket = Socket::new(stream, read_ahead, side).await;
    let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
    let mut driver = Driver { shared, socket, sleep, armed: None, read: 0, written: 0, phase: Phase::Idle };
    poll_fn(|cx| driver.poll_link(cx)).await;
    let _ = tokio::time::timeout(LINGER, poll_fn(|cx| driver.poll_closing(cx))).await;
    driver.shared.lock().is_gone = true;
    driver.shared.closed.notify_waiters();
}

struct Driver<S> {
    shared: Arc<Shared>,
    socket: Socket<S>,
    sleep: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    /// What the machine was told of the socket's counters.
    read: u64,
    written: u64,
    phase: Phase,
}

/// What the writing half is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was there to write.
    Idle,
    /// A message is on its way.
    Writing,
    /// Nothing follows what was given to the socket.
    Closed,
}

/// How much of a turn is used up.
#[derive(Debug, Default)]
struct Turn {
    messages: usize,
    bytes: usize,
}

impl Turn {
    fn goes_on(&self) -> bool {
        self.messages < TURN_MESSAGES && self.bytes < TURN_BYTES
    }

    fn moved(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Ready when the link is over; its last words may wait still.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut is_busy = self.poll_write(cx);
        is_busy |= self.poll_read(cx);
        // What was read may have asked for an answer.
        is_busy |= self.poll_write(cx);
        let is_over = self.poll_timer(cx);
        if is_over || self.phase == Phase::Closed {
            return Poll::Ready(());
        }
        if is_busy {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Writes until the socket or the machine has enough; true when the turn ended first.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut turn = Turn::default();
        while turn.goes_on() {
            if self.phase == Phase::Closed {
                return false;
            }
            match self.socket.poll_flush(cx) {
                Poll::Pending => {
                    self.tell_progress();
                    return false;
                }
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a link's connection broke while writing");
                    self.phase = Phase::Closed;
                    self.shared.act(|state| state.machine.handle_close(ABNORMAL, ""));
                    return false;
                }
            }
            match self.next_message(cx) {
                Outcome::Idle => return false,
                Outcome::Message => {
                    turn.moved(self.socket.transmit().len());
                    self.socket.send();
                }
                Outcome::Close { code, reason } => {
                    self.socket.close(code, &reason);
                    self.phase = Phase::Closed;
                }
            }
        }
        true
    }

    /// Asks the machine for the next message; registers for the wake-up if it has none.
    fn next_message(&mut self, cx: &Context<'_>) -> Outcome {
        let mut state = self.shared.lock();
        if self.phase == Phase::Writing {
            state.machine.handle_flushed(now());
            self.written = self.socket.written();
        }
        let outcome = state.machine.poll_transmit(self.socket.transmit(), now());
        if outcome == Outcome::Idle {
            self.phase = if state.ended.is_some() { Phase::Closed } else { Phase::Idle };
            state.driver = Some(cx.waker().clone());
        } else {
            self.phase = Phase::Writing;
            state.driver = None;
        }
        let wakers = self.shared.settle(&mut state);
        drop(state);
        wakers.wake();
        outcome
    }

    fn tell_progress(&mut self) {
        let written = self.socket.written();
        if written != self.written {
            self.written = written;
            self.shared.act(|state| state.machine.handle_progress(now()));
        }
    }

    /// Reads until nothing is there or the listener is too far behind; true when the turn ended first.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> bool {
        let mut turn = Turn::default();
        while turn.goes_on() {
            if self.phase == Phase::Closed || self.is_listener_behind(cx) {
                return false;
            }
            match self.socket.poll_receive(cx) {
                Poll::Ready(received) => {
                    turn.moved(received.len());
                    self.on_received(received);
                }
                Poll::Pending => {
                    self.tell_heard();
                    return false;
                }
            }
        }
        true
    }

    /// The listener wakes the driver when it takes from a full queue.
    fn is_listener_behind(&self, cx: &Context<'_>) -> bool {
        let mut state = self.shared.lock();
        let is_behind = state.requests.is_full();
        if is_behind {
            state.driver = Some(cx.waker().clone());
        }
        is_behind
    }

    fn on_received(&mut self, received: Received) {
        self.read = self.socket.read();
        self.shared.act(|state| match received {
            Received::Message(message) => state.machine.handle_message(message, now()),
            Received::Control => state.machine.handle_heard(now()),
            Received::Close { code, reason } => state.machine.handle_close(code, &reason),
            Received::Violation { code, reason } => state.machine.handle_violation(code, reason),
            Received::Ended => state.machine.handle_close(ABNORMAL, ""),
        });
    }

    fn tell_heard(&mut self) {
        let read = self.socket.read();
        if read != self.read {
            self.read = read;
            self.shared.act(|state| state.machine.handle_heard(now()));
        }
    }

    /// True when the link is over. The timer is moved only towards an earlier time: most messages push it back, and
    /// one early ring costs less than a move for each of them.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let (wanted, is_over) = {
                let state = self.shared.lock();
                (state.machine.poll_timeout(), state.ended.is_some())
            };
            let Some(wanted) = wanted.filter(|_| !is_over) else { return is_over };
            if self.armed.is_none_or(|armed| wanted < armed) {
                self.sleep.as_mut().reset(wanted.into());
                self.armed = Some(wanted);
            }
            if self.sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.armed = None;
            if wanted <= now() {
                self.socket.rest();
                self.shared.act(|state| state.machine.handle_timeout(now()));
                if self.poll_write(cx) {
                    cx.waker().wake_by_ref();
                }
            }
        }
    }

    /// Ready when the last words are written and the peer has closed as well.
    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_write(cx) {}
        if self.phase != Phase::Closed {
            return Poll::Pending;
        }
        loop {
            let flushed = self.socket.poll_flush(cx);
            match self.socket.poll_receive(cx) {
                Poll::Ready(Received::Message(_) | Received::Control) => {}
                Poll::Ready(Received::Close { .. } | Received::Violation { .. } | Received::Ended) => {
                    return self.socket.poll_flush(cx).map(|_| ());
                }
                Poll::Pending => {
                    return if matches!(flushed, Poll::Ready(Err(_))) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    };
                }
            }
        }
    }
}
