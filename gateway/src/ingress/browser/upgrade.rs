//! Connections that speak another protocol after a request: WebSocket, and whatever else an application switches to.
//! They are carried as bytes, watched like sessions, and cut with the proper word where the protocol has one.

use super::{
    right::Right,
    table::Place,
    websocket::{Frames, close_frame},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use postern_ids::Ended;
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{Instant, sleep, timeout},
};

/// How long either side may take to hand over the connection after the answer.
const HAND_OVER_MAX: Duration = Duration::from_secs(10);
/// A browser that does not take the last word within this time does not get it.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);
/// A connection at rest holds buffers of the first size; they grow to the second when there is more.
const BUFFER_MIN: usize = 1024;
const BUFFER_MAX: usize = 16 * 1024;

/// What an upgraded connection is carried with.
pub(super) struct Carriage {
    /// What ends it.
    pub(super) right: Right,
    pub(super) place: Place,
    pub(super) idle: Duration,
    pub(super) is_websocket: bool,
}

/// When bytes moved last.
struct Moved {
    since: Instant,
    at_ms: AtomicU64,
}

impl Moved {
    fn touch(&self) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(ms, Ordering::Relaxed);
    }

    async fn idle(&self, max: Duration) {
        loop {
            let last = self.since + Duration::from_millis(self.at_ms.load(Ordering::Relaxed));
            let rest = (last + max).saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            sleep(rest).await;
        }
    }
}

impl Carriage {
    /// Carries bytes until either side is done, or the right to it ends.
    pub(super) async fn carry(self, browser: OnUpgrade, app: OnUpgrade) {
        let both = async { tokio::try_join!(browser, app) };
        let Ok(Ok((browser, app))) = timeout(HAND_OVER_MAX, both).await else { return };
        let moved = Moved { since: Instant::now(), at_ms: AtomicU64::new(0) };
        let (from_browser, to_browser) = split(TokioIo::new(browser));
        let (from_app, to_app) = split(TokioIo::new(app));
        let session = self.place.session();
        let up = async {
            let count = |bytes: &[u8]| {
                session.carried(length(bytes), 0);
                moved.touch();
            };
            pump(from_browser, to_app, count).await
        };
        let mut down =
            Downward { from: from_app, to: to_browser, frames: self.is_websocket.then(Frames::default) };
        let downward = down.pump(|bytes| {
            session.carried(0, length(bytes));
            moved.touch();
        });
        let ended = tokio::select! {
            biased;
            ended = self.right.ended() => Some(ended),
            () = both_ways(up, downward) => None,
            () = moved.idle(self.idle) => None,
        };
        down.close(ended).await;
    }
}

/// A half that ends in order leaves the other; one that breaks ends both, and so does the application's own end: there
/// is nobody left to hear the browser.
async fn both_ways(up: impl Future<Output = io::Result<()>>, down: impl Future<Output = io::Result<()>>) {
    let mut down = std::pin::pin!(down);
    tokio::select! {
        _ = down.as_mut() => {}
        upward = up => if upward.is_ok() {
            let _ = down.await;
        },
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_MIN];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(bytes).await?;
        to.flush().await?;
        passed(bytes);
        grow(&mut buffer, count);
    }
}

fn grow(buffer: &mut Vec<u8>, count: usize) {
    if count == buffer.len() && count < BUFFER_MAX {
        buffer.resize(BUFFER_MAX, 0);
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The way to the browser, which may end in the middle of something.
struct Downward {
    from: ReadHalf<TokioIo<Upgraded>>,
    to: WriteHalf<TokioIo<Upgraded>>,
    /// For WebSocket; none while a write is under way, because nobody knows how much of it went.
    frames: Option<Frames>,
}

impl Downward {
    async fn pump(&mut self, passed: impl Fn(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_MIN];
        loop {
            let count = self.from.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            let frames = self.frames.take();
            self.to.write_all(bytes).await?;
            self.to.flush().await?;
            self.frames = frames;
            if let Some(frames) = &mut self.frames {
                frames.pass(bytes);
            }
            passed(bytes);
            grow(&mut buffer, count);
        }
    }

    /// Says why, where that is possible, and closes.
    async fn close(mut self, ended: Option<Ended>) {
        let word = match (ended, &self.frames) {
            (Some(ended), Some(frames)) if frames.is_between() => {
                close_frame(&format!("{} {}: {}", ended.code(), ended.label(), ended.sentence()))
            }
            _ => Vec::new(),
        };
        let said = async {
            self.to.write_all(&word).await?;
            self.to.shutdown().await
        };
        // The connection ends either way.
        let _ = timeout(LAST_WORD_MAX, said).await;
    }
}
