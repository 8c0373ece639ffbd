//! An echo target that keeps accounts: what reached it, on how many connections, once or twice.

use super::ledger::{Ledger, Tally};
use anyhow::Result;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the target knows of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// The records, over all its connections.
    pub tally: Tally,
    /// Connections that carried it: more than one means that it was dialed again.
    pub connections: u64,
    /// The sequence number that is due.
    pub next: u64,
}

/// A TCP server on a loopback port.
#[derive(Debug)]
pub struct Witness {
    address: SocketAddr,
    book: Arc<Book>,
}

#[derive(Debug, Default)]
struct Book {
    streams: Mutex<BTreeMap<u64, Seen>>,
    open: AtomicU64,
    accepted: AtomicU64,
    is_holding: AtomicBool,
}

/// How often a target that reads nothing looks whether it may.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Witness {
    /// Listens, with a thread per connection.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let book = Arc::new(Book::default());
        let shared = Arc::clone(&book);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let book = Arc::clone(&shared);
                book.accepted.fetch_add(1, Ordering::SeqCst);
                book.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // A connection that breaks has told the ledger what it could.
                    let _ = serve(stream, &book);
                    book.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { address, book })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops reading, or reads on: what is sent meanwhile fills every buffer on the way.
    pub fn hold(&self, is_holding: bool) {
        self.book.is_holding.store(is_holding, Ordering::SeqCst);
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.book.open.load(Ordering::SeqCst)
    }

    /// How many connections it ever accepted.
    pub fn connections(&self) -> u64 {
        self.book.accepted.load(Ordering::SeqCst)
    }

    /// What it knows of every stream.
    pub fn all(&self) -> Vec<(u64, Seen)> {
        self.book.lock().iter().map(|(number, seen)| (*number, *seen)).collect()
    }

    /// What it knows of a stream.
    pub fn seen(&self, stream: u64) -> Seen {
        self.book.lock().get(&stream).copied().unwrap_or_default()
    }
}

impl Book {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Seen>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, book: &Book) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut ledger = Ledger::default();
    let mut entered = Tally::default();
    loop {
        while book.is_holding.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_EVERY);
        }
        let count = stream.read(&mut buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            return stream.shutdown(Shutdown::Write);
        }
        let was_known = ledger.stream().is_some();
        ledger.take(bytes);
        if let Some(number) = ledger.stream() {
            let mut streams = book.lock();
            let seen = streams.entry(number).or_default();
            if !was_known {
                seen.connections += 1;
                // What an earlier connection of this stream brought must not come again on this one.
                let again = seen.next.min(ledger.next());
                seen.tally.doubled += again;
            }
            seen.tally = seen.tally.with(ledger.tally().since(entered));
            seen.next = seen.next.max(ledger.next());
            entered = ledger.tally();
        }
        stream.write_all(bytes)?;
    }
}
