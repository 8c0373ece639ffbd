//! Log lines on their way out, behind a bounded queue: a reader that stops reading costs lines, never a session.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};
use tracing_subscriber::fmt::MakeWriter;

/// Lines in the queue, about 300 B each: a second of the busiest node. Beyond it lines are dropped and counted.
const LINES_MAX: usize = 16_384;

enum Message {
    Line(Vec<u8>),
    Flush,
}

/// Puts lines into the queue.
#[derive(Clone)]
pub(super) struct Queue {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// Writes what is queued when it is dropped; hold it until the process ends.
#[must_use = "lines that are queued are lost with it"]
pub(super) struct LogGuard {
    lines: SyncSender<Message>,
    writer: Option<JoinHandle<()>>,
}

/// Starts the thread that writes.
pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Queue, LogGuard)> {
    let (lines, queue) = sync_channel(LINES_MAX);
    let dropped = Arc::<AtomicU64>::default();
    let seen = Arc::clone(&dropped);
    let writer =
        thread::Builder::new().name("log".to_owned()).spawn(move || write_out(out, &queue, &seen))?;
    Ok((Queue { lines: lines.clone(), dropped }, LogGuard { lines, writer: Some(writer) }))
}

fn write_out(mut out: impl Write, queue: &Receiver<Message>, dropped: &AtomicU64) {
    while let Ok(Message::Line(line)) = queue.recv() {
        // Nobody is left to be told that the log cannot be written.
        let _ = out.write_all(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "{{\"level\":\"WARN\",\"message\":\"{lost} log lines were dropped\"}}");
        }
    }
    let _ = out.flush();
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.lines.try_send(Message::Line(line.to_vec())) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // The queue keeps the order: what was logged before is written before.
        let _ = self.lines.send(Message::Flush);
        self.writer.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Gate {
        closed: Arc<Mutex<()>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _open = self.closed.lock().unwrap();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_reading_costs_lines_and_blocks_nobody() {
        let gate = Gate::default();
        let closed = gate.closed.lock().unwrap();
        let (mut queue, guard) = start(gate.clone()).unwrap();
        for _ in 0..LINES_MAX + 100 {
            queue.write_all(b"line\n").unwrap();
        }
        drop(closed);
        drop(guard);
        let written = String::from_utf8(gate.written.lock().unwrap().clone()).unwrap();
        assert!(written.contains("log lines were dropped"));
        assert!(written.matches("line\n").count() >= LINES_MAX);
    }
}
