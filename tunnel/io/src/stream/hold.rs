//! The connector's end: it holds the target's connection while lanes come and go.

use super::{Arrival, Local, Rejected, StreamConfig, StreamDone, StreamState, engine::Engine};
use crate::{Cut, Lane, driver::now};
use bytes::Bytes;
use postern_ids::{Ended, StreamId};
use postern_tunnel_proto::stream::Stream;
use std::{
    fmt,
    future::{Future, poll_fn},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// How long a client has to finish the lane that tells it of a stream that is over.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Room for the few records of a stream that is over; a fresh lane has more.
const LAST_WORDS_BYTES: usize = 1024;

/// What a stream is held under.
pub struct Terms {
    /// This process' instance: never zero.
    pub instance: [u8; 16],
    /// Limits and window; clones share the budget of the process.
    pub config: StreamConfig,
    /// The session's hard expiry on the clock of `tokio::time::Instant`.
    pub expires_at: Option<Instant>,
    /// Ends the stream, attached or not.
    pub cut: Cut,
    /// Told of each change, after it: from the task of the stream or from whoever attached a lane, so that two of them may
    /// cross; [`Held::state`] has the last word. It must not block.
    pub on_change: Arc<dyn Fn(StreamId, StreamState) + Send + Sync>,
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A stream that this process holds, or remembers. Clones share it. Once it is over it holds no buffer and no connection;
/// keep it for the window all the same, so that a client that missed the end can be told; unless it has parted from its client.
pub struct Held<L = TcpStream>(Arc<Holding<L>>);

struct Holding<L> {
    id: StreamId,
    key: [u8; 32],
    inner: Mutex<Inner<L>>,
    on_change: Arc<dyn Fn(StreamId, StreamState) + Send + Sync>,
}

struct Inner<L> {
    engine: Engine<L>,
    task: Task,
}

/// Who moves the bytes.
#[derive(Debug)]
enum Task {
    /// The future of `hold` does; it waits for this waker if there is one.
    Runs(Option<Waker>),
    /// Nobody does: the stream is over.
    Done,
}

/// Makes the connector's end of a new stream whose target has been dialed, and accepts its first lane. The caller has
/// verified the proof and compared the key with the grant's. The future carries the bytes: it is to be spawned, and ends
/// when the stream is over and the target's connection is closed. Rejected: the client asks to resume, or speaks no common
/// version.
pub fn hold<L: Local>(
    arrival: Arrival,
    target: L,
    terms: Terms,
) -> Result<(Held<L>, impl Future<Output = StreamDone> + Send + 'static), Rejected> {
    let Arrival { lane, attach, rest } = arrival;
    let Terms { instance, config, expires_at, cut, on_change } = terms;
    let mut stream = match Stream::connector(&attach, instance, config, now()) {
        Ok(stream) => stream,
        Err(code) => return Err(Rejected { lane, code }),
    };
    stream.set_expiry(expires_at);
    let mut engine = Engine::new(stream, target, Ended::TargetFailed);
    engine.set_lane(lane.accept(Bytes::new()));
    engine.handle_early(rest);
    let inner = Mutex::new(Inner { engine, task: Task::Runs(None) });
    let held = Held(Arc::new(Holding { id: attach.stream, key: attach.key, inner, on_change }));
    Ok((held.clone(), run(Running(held), cut)))
}

async fn run<L: Local>(running: Running<L>, cut: Cut) -> StreamDone {
    let holding = &running.0.0;
    let mut given = std::pin::pin!(cut.wait());
    let mut is_cut = false;
    poll_fn(|cx| {
        if !is_cut && let Poll::Ready(ended) = given.as_mut().poll(cx) {
            is_cut = true;
            holding.act(|inner| inner.engine.end(ended.code()));
        }
        holding.poll(cx)
    })
    .await
}

/// The future of `hold`. Dropped early, it takes the stream with it: nobody would move its bytes any more.
struct Running<L: Local>(Held<L>);

impl<L: Local> Drop for Running<L> {
    fn drop(&mut self) {
        self.0.end(Ended::Lost);
        self.0.0.lock().task = Task::Done;
    }
}

impl<L: Local> Held<L> {
    /// What it takes beside the future of `hold`.
    #[cfg(test)]
    pub(crate) const SIZE: usize = size_of::<Holding<L>>();

    /// The stream.
    pub fn id(&self) -> StreamId {
        self.0.id
    }

    /// The client's key: what an Attach must name, and be proven with.
    pub fn key(&self) -> [u8; 32] {
        self.0.key
    }

    /// How it stands.
    pub fn state(&self) -> StreamState {
        let inner = self.0.lock();
        let stream = inner.engine.stream();
        let generation = stream.generation();
        match stream.over() {
            Some(over) => StreamState::Over(over),
            None if stream.detached_since().is_some() => StreamState::Detached { generation },
            None => StreamState::Attached { generation },
        }
    }

    /// The generation of the newest lane.
    pub fn generation(&self) -> u32 {
        self.0.lock().engine.stream().generation()
    }

    /// Whether both sides finished the last lane after an orderly end: then the client knows of it, and will not ask.
    pub fn has_parted(&self) -> bool {
        self.0.lock().engine.has_parted()
    }

    /// Lets a newer lane carry the stream: accepts it, and resets the older one with *detach* and 4409. The caller has
    /// verified the proof and compared the session. A stream that finished in order takes the lane to say so.
    pub fn attach(&self, arrival: Arrival) -> Result<(), Rejected> {
        let Arrival { lane, attach, rest } = arrival;
        self.0.act(|inner| {
            if let Err(code) = inner.engine.stream_mut().take_over(&attach, now()) {
                // An offset that cannot be ended the stream.
                inner.engine.follow();
                return Err(Rejected { lane, code });
            }
            let lane = lane.accept(Bytes::new());
            match inner.task {
                Task::Runs(_) => {
                    inner.engine.set_lane(lane);
                    inner.engine.handle_early(rest);
                    inner.engine.follow();
                }
                Task::Done => drop(tokio::spawn(say_over(lane, inner.engine.last_words()))),
            }
            Ok(())
        })
    }

    /// The session may not live longer than this: a resumed session may have another hard expiry than before.
    pub fn set_expiry(&self, at: Option<Instant>) {
        self.0.act(|inner| inner.engine.stream_mut().set_expiry(at));
    }

    /// Ends the stream, attached or not. The first end counts.
    pub fn end(&self, ended: Ended) {
        self.0.act(|inner| inner.engine.end(ended.code()));
    }
}

impl<L: Local> Holding<L> {
    fn lock(&self) -> MutexGuard<'_, Inner<L>> {
        // A panic elsewhere leaves an engine that at worst ends its stream.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<StreamDone> {
        let (polled, change) = {
            let mut inner = self.lock();
            let polled = inner.engine.poll(cx).map(|over| {
                let (down, up) = inner.engine.carried();
                StreamDone { up, down, over }
            });
            inner.task = match polled {
                Poll::Ready(_) => Task::Done,
                Poll::Pending => Task::Runs(Some(cx.waker().clone())),
            };
            (polled, inner.engine.take_change())
        };
        self.tell(change);
        polled
    }

    /// Acts from outside the stream's task, and wakes it to do what follows.
    fn act<R>(&self, act: impl FnOnce(&mut Inner<L>) -> R) -> R {
        let (result, change, task) = {
            let mut inner = self.lock();
            let result = act(&mut inner);
            let task = match &mut inner.task {
                Task::Runs(waker) => waker.take(),
                Task::Done => None,
            };
            (result, inner.engine.take_change(), task)
        };
        self.tell(change);
        if let Some(task) = task {
            task.wake();
        }
        result
    }

    fn tell(&self, change: Option<StreamState>) {
        if let Some(state) = change {
            (self.on_change)(self.id, state);
        }
    }
}

impl<L> Clone for Held<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> fmt::Debug for Held<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("id", &self.0.id).finish_non_exhaustive()
    }
}

/// Tells a client that missed it how its stream ended.
async fn say_over(mut lane: Lane, words: Vec<Bytes>) {
    let said = async {
        for word in words {
            lane.write_chunk(word).await?;
        }
        lane.finish().map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        while lane.read_chunk(LAST_WORDS_BYTES).await?.is_some() {}
        std::io::Result::Ok(())
    };
    if !matches!(tokio::time::timeout(LAST_WORDS, said).await, Ok(Ok(()))) {
        // Nobody there any more, or nobody who keeps to the protocol.
        lane.detach(Ended::Finished.code());
    }
}
