//! One proxied connection: its two sockets, what passed, and how it was ordered to end.

use super::{LOOK_EVERY, Shared, Side, Way};
use socket2::SockRef;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So much of what the near side says first is remembered, to recognise it.
const SAID_MAX: usize = 64 * 1024;

/// What was ordered for a connection that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// A reset towards both sides.
    Reset,
    /// Silence towards both.
    Silence,
    /// A reset towards this side, silence towards the other.
    Vanish(Side),
}

/// The two sockets. Each is closed when the last holder lets go of it.
#[derive(Debug)]
pub(super) struct Connection {
    near: Mutex<Option<Arc<TcpStream>>>,
    far: Mutex<Option<Arc<TcpStream>>>,
    doom: Mutex<Option<Doom>>,
    said: Mutex<Vec<u8>>,
    passed: AtomicU64,
    cut_after: Option<u64>,
}

impl Connection {
    pub(super) fn new(near: &Arc<TcpStream>, far: &Arc<TcpStream>, cut_after: Option<u64>) -> Self {
        Self {
            near: Mutex::new(Some(Arc::clone(near))),
            far: Mutex::new(Some(Arc::clone(far))),
            doom: Mutex::default(),
            said: Mutex::default(),
            passed: AtomicU64::new(0),
            cut_after,
        }
    }

    /// Orders an end; the first order counts.
    pub(super) fn doom(&self, doom: Doom) {
        let mut ordered = self.doom.lock().unwrap_or_else(PoisonError::into_inner);
        if ordered.is_none() {
            *ordered = Some(doom);
        }
    }

    pub(super) fn ordered(&self) -> Option<Doom> {
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what passes; orders the cut when it is due.
    pub(super) fn note(&self, way: Way, piece: &[u8]) {
        if way == Way::Up {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let room = SAID_MAX.saturating_sub(said.len()).min(piece.len());
            said.extend_from_slice(piece.get(..room).unwrap_or_default());
        }
        let count = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let passed = self.passed.fetch_add(count, Ordering::SeqCst).saturating_add(count);
        if self.cut_after.is_some_and(|limit| passed >= limit) {
            self.doom(Doom::Reset);
        }
    }

    pub(super) fn has_said(&self, text: &[u8]) -> bool {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.windows(text.len().max(1)).any(|window| window == text)
    }

    /// After the pumps: resets the sides that are to be reset and holds the others open, silent, until the proxy refuses.
    pub(super) fn end(&self, shared: &Shared) {
        let Some(doom) = self.ordered() else { return };
        if matches!(doom, Doom::Reset | Doom::Vanish(Side::Near)) {
            reset(&self.near);
        }
        if matches!(doom, Doom::Reset | Doom::Vanish(Side::Far)) {
            reset(&self.far);
        }
        if doom != Doom::Reset {
            while !shared.orders().is_refusing {
                std::thread::sleep(LOOK_EVERY);
            }
            reset(&self.near);
            reset(&self.far);
        }
    }
}

/// Closes a socket with a reset; the pumps have let go of it.
fn reset(socket: &Mutex<Option<Arc<TcpStream>>>) {
    if let Some(socket) = socket.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A socket that is gone already needs no reset.
        let _ = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
    }
}
