//! A recording target: tells whether anything reached it.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What a target does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Sends back what comes; answers a half-close with one.
    Echo,
    /// Accepts and says nothing.
    Silent,
    /// Accepts and resets.
    Reset,
}

/// A TCP server on a loopback port that keeps count.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    bytes: AtomicU64,
    open: AtomicU64,
    last_end: Mutex<Option<Instant>>,
}

impl Target {
    /// Listens on a port from the kernel, with a thread per connection.
    pub fn start(manner: Manner) -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), manner)
    }

    /// Listens at an address.
    pub fn start_at(address: SocketAddr, manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let counted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&counted);
                seen.connections.fetch_add(1, Ordering::SeqCst);
                seen.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    serve(stream, manner, &seen);
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                    *seen.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                });
            }
        });
        Ok(Self { address, seen })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it ever accepted.
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// How many bytes it ever received.
    pub fn bytes(&self) -> u64 {
        self.seen.bytes.load(Ordering::SeqCst)
    }

    /// When the last connection ended.
    pub fn last_end(&self) -> Option<Instant> {
        *self.seen.last_end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(mut stream: TcpStream, manner: Manner, seen: &Seen) {
    if manner == Manner::Reset {
        // Unread bytes at the time of the close make the kernel answer with a reset.
        let mut first = [0_u8; 1];
        let _ = stream.peek(&mut first);
        return;
    }
    let mut buffer = vec![0_u8; 64 * 1024];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        seen.bytes.fetch_add(count as u64, Ordering::SeqCst);
        let answered =
            manner == Manner::Silent || stream.write_all(buffer.get(..count).unwrap_or_default()).is_ok();
        if !answered {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}
