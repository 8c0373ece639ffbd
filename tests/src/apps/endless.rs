//! An application whose answers have no end.

use super::Hostile;
use anyhow::Result;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An application that sends without end at `/endless`, and counts its answers under way.
#[derive(Debug)]
pub struct Endless {
    /// What answers.
    pub app: Hostile,
    open: Arc<AtomicUsize>,
}

impl Endless {
    /// Listens.
    pub fn start() -> Result<Self> {
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let app = Hostile::start(move |stream, head| {
            if !head.starts_with("GET /endless") {
                return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
            while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
            counted.fetch_sub(1, Ordering::SeqCst);
            false
        })?;
        Ok(Self { app, open })
    }

    /// How many answers are under way.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}
