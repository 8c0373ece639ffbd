//! The client's end: it opens a lane again whenever the last one went away, until the stream is over.

use super::{Local, Over, StreamConfig, StreamDone, StreamKey, StreamState, engine::Engine};
use crate::{Backoff, Cut, Lane, driver::now};
use bytes::Bytes;
use postern_ids::{Ended, StreamId};
use postern_tunnel_proto::stream::{LaneEnd, Stream};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// A lane that was lost sooner than this was no success: the next attempt waits as after a failure.
const STABLE: Duration = Duration::from_millis(250);

/// A stream to be carried.
#[derive(Debug)]
pub struct Carry<L> {
    /// What the bytes come from and go to here.
    pub local: L,
    /// The stream: 128 bits of the caller's choice that nobody else uses.
    pub id: StreamId,
    /// Its key, made for it alone.
    pub key: StreamKey,
    /// Limits and window; clones share the budget of the process.
    pub config: StreamConfig,
    /// Ends the stream from here.
    pub cut: Cut,
}

/// One try to get a lane.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The lane's early data: the Attach, and the stream's first bytes until the connector welcomed an attempt.
    pub early: Bytes,
    /// The Attach says *resume only*: the connector has welcomed an earlier attempt. Otherwise it opens the stream, whether
    /// or not an earlier attempt was answered.
    pub resumes: bool,
    /// The attempt's generation: 1, and then one more each time.
    pub generation: u32,
    /// Attempts that failed since the last lane was attached; 0 for the first.
    pub failures: u32,
}

/// Why an attempt got no lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectError {
    /// Try again: after the usual pause, but not before this much time.
    Retry(Duration),
    /// It is of no use: the stream is over with this code.
    Final(u16),
}

/// How a client gets a lane that leads to its stream, and whom it tells.
pub trait Connect: Send {
    /// Opens a lane with these early data. It limits its own time; it is dropped when the stream is over.
    fn connect(&mut self, attempt: Attempt) -> impl Future<Output = Result<Lane, ConnectError>> + Send;

    /// The stream was attached, lost its lane, or is over. Called between attempts; it must not block.
    fn changed(&mut self, state: StreamState) {
        let _ = state;
    }
}

/// Carries a stream until it is over: attached, or without a lane for the window. The first attempt after a lane was lost
/// comes at once, the next ones after the pauses of [`Backoff`]. A connection that breaks here ends the stream with 4442.
pub async fn carry<L: Local, C: Connect>(carry: Carry<L>, connect: C) -> StreamDone {
    let Carry { local, id, key, config, cut } = carry;
    let stream = Stream::client(id, key.public(), config, now());
    let engine = Engine::new(stream, local, Ended::ClientLost);
    let mut carrier = Carrier { engine, key, connect, backoff: Backoff::default(), attached: None };
    let mut cut = pin!(cut.wait());
    // What is there already goes with the first attempt.
    poll_fn(|cx| Poll::Ready(carrier.engine.poll(cx).is_ready())).await;
    loop {
        // Boxed: a stream at rest must not hold the memory that dialing needs.
        Box::pin(carrier.reach(cut.as_mut())).await;
        if let Some(over) = poll_fn(|cx| carrier.poll_attached(cx, cut.as_mut())).await {
            let (up, down) = carrier.engine.carried();
            return StreamDone { up, down, over };
        }
    }
}

struct Carrier<L, C> {
    engine: Engine<L>,
    key: StreamKey,
    connect: C,
    backoff: Backoff,
    /// Since when a lane has carried the stream.
    attached: Option<Instant>,
}

impl<L: Local, C: Connect> Carrier<L, C> {
    /// Carries bytes over the lane; ready when the stream is over, or with `None` when it needs another lane.
    fn poll_attached(
        &mut self,
        cx: &mut Context<'_>,
        cut: Pin<&mut impl Future<Output = Ended>>,
    ) -> Poll<Option<Over>> {
        let polled = poll_engine(&mut self.engine, cx, cut);
        self.tell();
        match polled {
            Poll::Ready(over) => Poll::Ready(Some(over)),
            Poll::Pending if self.engine.wants_lane() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Tries to get a lane until there is one, or the stream wants none.
    async fn reach(&mut self, mut cut: Pin<&mut impl Future<Output = Ended>>) {
        let mut pause = self.pause_after_loss();
        while self.engine.wants_lane() {
            let paused = tokio::time::sleep(pause);
            if meanwhile(&mut self.engine, cut.as_mut(), paused).await.is_none() {
                return;
            }
            let Some(attempt) = self.attempt() else { return };
            let connecting = self.connect.connect(attempt);
            let Some(connected) = meanwhile(&mut self.engine, cut.as_mut(), connecting).await else { return };
            let end = match connected {
                Ok(lane) => return self.engine.set_lane(lane),
                Err(ConnectError::Final(code)) => LaneEnd::Ended(code),
                Err(ConnectError::Retry(least)) => {
                    pause = self.backoff.next(rand::random(), now()).max(least);
                    LaneEnd::Detached
                }
            };
            self.engine.handle_lane_end(end);
            self.tell();
        }
    }

    /// None, unless lanes are lost as soon as they are there.
    fn pause_after_loss(&mut self) -> Duration {
        match self.attached.take() {
            Some(since) if now().saturating_duration_since(since) < STABLE => {
                self.backoff.next(rand::random(), now())
            }
            Some(_) => {
                self.backoff.reset();
                Duration::ZERO
            }
            None => Duration::ZERO,
        }
    }

    /// The next attempt; `None` when no generation is left, which ends a stream that is not over.
    fn attempt(&mut self) -> Option<Attempt> {
        let resumes = self.engine.stream().is_welcomed();
        let Some(generation) = self.engine.stream_mut().attach(|message| self.key.sign(message)) else {
            self.engine.handle_lane_end(LaneEnd::Ended(Ended::ResumeFailed.code()));
            return None;
        };
        let early = self.engine.take_early();
        Some(Attempt { early, resumes, generation, failures: self.backoff.failures() })
    }

    fn tell(&mut self) {
        let Some(state) = self.engine.take_change() else { return };
        if matches!(state, StreamState::Attached { .. }) {
            self.attached = Some(now());
        }
        self.connect.changed(state);
    }
}

fn poll_engine<L: Local>(
    engine: &mut Engine<L>,
    cx: &mut Context<'_>,
    cut: Pin<&mut impl Future<Output = Ended>>,
) -> Poll<Over> {
    // Heard once: it is not asked again after its answer, which ends the stream.
    if engine.stream().over().is_none()
        && let Poll::Ready(ended) = cut.poll(cx)
    {
        engine.end(ended.code());
    }
    engine.poll(cx)
}

/// Waits for `work`, while this side's bytes still go into the stream; `None` when the stream wants no lane any more.
async fn meanwhile<L: Local, W: Future>(
    engine: &mut Engine<L>,
    mut cut: Pin<&mut impl Future<Output = Ended>>,
    work: W,
) -> Option<W::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| match poll_engine(engine, cx, cut.as_mut()) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending if !engine.wants_lane() => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}
