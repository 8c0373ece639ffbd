//! What a person is told while streams wait for a link: one line when it takes long, one when it is over, and a file for
//! `postern status`.

use crate::{
    clock::now,
    home::{Home, RunFile, Running},
    resource::ResourceRef,
};
use postern_api::Time;
use postern_ids::Timestamp;
use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time};

/// A gateway that restarts is back sooner; nobody need know.
const QUIET: Duration = Duration::from_secs(2);
/// What comes and goes within this time is not written down.
const SETTLED: Duration = Duration::from_millis(100);

/// The streams of a command, as they stand; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    home: Home,
    resource: ResourceRef,
    board: Mutex<Board>,
    file: Mutex<Option<RunFile>>,
    changed: Notify,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Board {
    streams: u32,
    detached: u32,
    /// Since when there is one at all.
    since: Option<Timestamp>,
    /// Since when one has been without a link.
    lost: Option<(Timestamp, Instant)>,
}

impl Board {
    fn count(&mut self, streams: i32, detached: i32) {
        self.streams = self.streams.saturating_add_signed(streams);
        self.detached = self.detached.saturating_add_signed(detached);
        self.since = if self.streams > 0 { self.since.or_else(|| Some(now())) } else { None };
        self.lost =
            if self.detached > 0 { self.lost.or_else(|| Some((now(), Instant::now()))) } else { None };
    }
}

impl Progress {
    /// Begins to tell, in a task of the current runtime.
    pub(super) fn start(home: &Home, resource: &ResourceRef) -> Self {
        let progress = Self(Arc::new(Shared {
            home: home.clone(),
            resource: resource.clone(),
            board: Mutex::default(),
            file: Mutex::default(),
            changed: Notify::new(),
        }));
        tokio::spawn(progress.clone().tell());
        progress
    }

    /// One more stream; it counts as soon as it stands in some way.
    pub(super) fn enter(&self) -> Standing {
        Standing { progress: self.clone(), is_detached: None }
    }

    /// Forgets the file.
    pub(super) fn finish(&self) {
        *self.0.board() = Board::default();
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn tell(self) {
        let (mut written, mut is_told) = (Board::default(), false);
        loop {
            let board = *self.0.board();
            if board != written {
                self.0.write(&board);
                written = board;
            }
            let quiet = board.lost.map(|(_, lost)| (lost + QUIET).saturating_duration_since(Instant::now()));
            match quiet {
                Some(left) if !is_told => tokio::select! {
                    () = time::sleep(left) => {
                        is_told = true;
                        say("connection lost, reconnecting …");
                    }
                    () = self.0.changed.notified() => {}
                },
                None if is_told => {
                    is_told = false;
                    // What ended meanwhile told why.
                    if board.streams > 0 {
                        say("connected again");
                    }
                }
                Some(_) | None => {
                    self.0.changed.notified().await;
                    time::sleep(SETTLED).await;
                }
            }
        }
    }
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file is a comfort: a session does not end for want of it.
    fn write(&self, board: &Board) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(since) = board.since else { return drop(file.take()) };
        let running = Running {
            pid: std::process::id(),
            resource: self.resource.to_string(),
            streams: board.streams,
            since: Time(since),
            reconnecting: board.detached,
            reconnecting_since: board.lost.map(|(lost, _)| Time(lost)),
        };
        match &*file {
            Some(file) => drop(file.update(&running)),
            None => *file = RunFile::create(&self.home, &running).ok(),
        }
    }
}

/// How one stream stands; it does not count any more once this is dropped.
#[derive(Debug)]
pub(super) struct Standing {
    progress: Progress,
    is_detached: Option<bool>,
}

impl Standing {
    pub(super) fn set_detached(&mut self, is_detached: bool) {
        let before = self.is_detached.replace(is_detached);
        if before != Some(is_detached) {
            let was_detached = i32::from(before.unwrap_or_default());
            self.count(i32::from(before.is_none()), i32::from(is_detached) - was_detached);
        }
    }

    fn count(&self, streams: i32, detached: i32) {
        self.progress.0.board().count(streams, detached);
        self.progress.0.changed.notify_one();
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(was_detached) = self.is_detached {
            self.count(-1, -i32::from(was_detached));
        }
    }
}

/// A terminal that ssh uses may be in raw mode, where a new line does not begin at the left.
fn say(sentence: &str) {
    let mut stderr = std::io::stderr();
    let end = if stderr.is_terminal() { "\r\n" } else { "\n" };
    let _ = write!(stderr, "postern: {sentence}{end}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_counts_and_keeps_when_the_first_of_several_was_lost() {
        let mut board = Board::default();
        board.count(1, 0);
        board.count(1, 1);
        let (since, lost) = (board.since, board.lost);
        assert!(since.is_some() && lost.is_some());
        board.count(0, 1);
        assert_eq!((board.streams, board.detached, board.since, board.lost), (2, 2, since, lost));
        board.count(0, -2);
        assert_eq!((board.since, board.lost), (since, None));
        board.count(-2, 0);
        assert_eq!(board, Board::default());
    }
}
