//! The journal's thread: takes what waits, appends it as one group, syncs once, answers.
//!
//! Records that arrive while a sync runs form the next group. After a failed write or sync nothing of that file beyond
//! the last good sync is trusted any more: a kernel may forget what it could not write. The next attempt is a new file.

use super::{
    NotRecorded, SessionEnd,
    disk::{Append, Disk},
    frame,
    queue::{Entry, Queue},
    record::{self, RecordKind},
    segment::{self, Header},
    status::Status,
};
use postern_ids::Timestamp;
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// A segment is closed at this size: small enough to be shipped and removed soon, big enough that making files is rare.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// How long to leave a failing disk alone.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The thread's state.
pub(crate) struct Writer {
    dir: PathBuf,
    disk: Box<dyn Disk>,
    queue: Arc<Queue>,
    status: Arc<Status>,
    /// Whose chain, and its last durable record.
    header: Header,
    next_index: u64,
    /// The segment in use and its synced length.
    file: Option<(Box<dyn Append>, u64)>,
    /// Ends and departures that are not durable yet.
    owed: Vec<(Timestamp, RecordKind, Vec<u8>)>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(
        dir: PathBuf,
        disk: Box<dyn Disk>,
        queue: Arc<Queue>,
        status: Arc<Status>,
        header: Header,
        next_index: u64,
    ) -> Self {
        Self {
            dir,
            disk,
            queue,
            status,
            header,
            next_index,
            file: None,
            owed: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Opens the first segment, so that a journal that cannot write is told at the start.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        self.open_segment()
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            let taken = self.queue.take(self.patience());
            self.group(taken.entries);
            let is_done = self.owed.is_empty() || self.status.is_failing();
            if taken.is_last && is_done {
                return self.status.ended(self.header.start.sequence);
            }
        }
    }

    fn patience(&self) -> Option<Duration> {
        if self.status.is_failing() {
            Some(RETRY_AFTER)
        } else {
            (!self.owed.is_empty()).then_some(Duration::ZERO)
        }
    }

    fn group(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            match entry {
                Entry::End(end) => self.owe(end),
                Entry::Left(left) => self.owed.push((left.at, RecordKind::Left, record::left(left))),
                Entry::Allow { .. } | Entry::Note { .. } => {}
            }
        }
        match self.write(&entries) {
            Ok(first_allow) => self.answer(entries, first_allow),
            Err(error) => self.fail(entries, &error),
        }
    }

    /// Makes the entries, and what is owed, durable. Gives the position of the first entry that was not owed.
    fn write(&mut self, entries: &[Entry]) -> io::Result<u64> {
        if self.file.as_ref().is_none_or(|(_, len)| *len >= SEGMENT_BYTES_MAX) {
            self.open_segment()?;
        }
        let mut head = self.header.start;
        self.buffer.clear();
        for (at, kind, body) in &self.owed {
            head = frame::encode(head, *at, *kind, body, &mut self.buffer);
        }
        let first = head.sequence + 1;
        for entry in entries {
            head = match entry {
                Entry::Allow { allow, body, .. } => {
                    frame::encode(head, allow.at, allow.kind, body, &mut self.buffer)
                }
                Entry::Note { at, kind, body, .. } => frame::encode(head, *at, *kind, body, &mut self.buffer),
                Entry::End(_) | Entry::Left(_) => head,
            };
        }
        let Some((file, len)) = &mut self.file else { return Err(io::Error::other("no segment")) };
        if !self.buffer.is_empty() {
            file.append(&self.buffer)?;
            file.sync()?;
        }
        *len += self.buffer.len() as u64;
        self.header.start = head;
        self.owed.clear();
        self.status.appended(self.buffer.len() as u64, head.sequence);
        Ok(first)
    }

    fn answer(&mut self, entries: Vec<Entry>, first: u64) {
        if self.status.set_failing(false) {
            tracing::warn!("the journal writes again");
        }
        let mut sequence = first;
        for entry in entries {
            match entry {
                Entry::Allow { allow, answer, .. } => {
                    if answer.send(Ok(sequence)).is_err()
                        && let Some(end) = allow.unopened()
                    {
                        // Nobody waits any more, so nobody will end it.
                        self.owe(&end);
                    }
                    sequence += 1;
                }
                Entry::Note { .. } => sequence += 1,
                Entry::End(_) | Entry::Left(_) => {}
            }
        }
    }

    fn owe(&mut self, end: &SessionEnd) {
        self.owed.push((end.at, RecordKind::Ended, record::ended(end)));
    }

    /// No allow of this group counts; the ends stay owed.
    fn fail(&mut self, entries: Vec<Entry>, error: &io::Error) {
        if self.status.set_failing(true) {
            tracing::error!(error = %error, "the journal cannot write: no session starts until it can");
        }
        for entry in entries {
            match entry {
                // Whoever has gone away does not start a session either.
                Entry::Allow { answer, .. } => drop(answer.send(Err(NotRecorded::Failing))),
                Entry::Note { .. } => self.status.lose_denial(),
                Entry::End(_) | Entry::Left(_) => {}
            }
        }
        if let Some((mut file, len)) = self.file.take() {
            // Only tidies up: the next segment's header already says that what lies behind does not count.
            let _ = file.cut(len);
            self.status.ended(self.header.start.sequence);
        }
    }

    fn open_segment(&mut self) -> io::Result<()> {
        self.file = None;
        self.status.ended(self.header.start.sequence);
        let index = self.next_index;
        // A failed attempt may leave a file behind; its number is not used again.
        self.next_index += 1;
        let (segment, file) = segment::create(self.disk.as_ref(), &self.dir, index, &self.header)
            .inspect_err(|_| {
                let _ = std::fs::remove_file(segment::path(&self.dir, index));
            })?;
        self.file = Some((file, segment.bytes));
        self.status.opened(segment);
        Ok(())
    }
}
