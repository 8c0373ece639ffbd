//! Where each HTTP/1 request begins and ends, read strictly (RFC 9112): bytes reach the HTTP library only after they were
//! found to have exactly one reading.
//!
//! The shell feeds what came from the peer and hands on what [`Framing::release`] admits. A head is admitted whole; after
//! one that asks for an upgrade nothing more is, until the answer is known.

mod chunked;
mod head;

use crate::Refused;
use chunked::Chunked;
use head::{Body, Head};

/// The longest head of a request: request line, fields and the empty line.
pub const HEAD_MAX: usize = 32 * 1024;
/// The longest target in a request line.
pub const TARGET_MAX: usize = 8 * 1024;

/// The protocol version of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// One HTTP/1 connection's requests.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between requests, or inside a head of which so many bytes were looked at: a head that drips in is not read anew
    /// with each drop.
    Head(usize),
    /// So many bytes of a body are still to come.
    Sized(u64),
    Chunked(Chunked),
    /// The last head asked for an upgrade: what follows belongs to whatever the answer makes of it.
    Upgrading,
    /// The connection speaks another protocol.
    Upgraded,
    /// Nothing more is admitted; whether it was a body that turned bad.
    Refused {
        refused: Refused,
        in_body: bool,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Head(0)
    }
}

impl Framing {
    /// At the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes from the front of `pending` may be handed on. `pending` is everything that was not handed on yet.
    /// Zero means: more is needed, or an upgrade is undecided. After an error the connection is over.
    pub fn release(&mut self, pending: &[u8]) -> Result<usize, Refused> {
        let mut released = 0;
        while let Some(rest) = pending.get(released..).filter(|rest| !rest.is_empty()) {
            let in_body = self.is_in_body();
            let (step, next) = match self.step(rest) {
                Ok(step) => step,
                // What was admitted before belongs to requests that are good.
                Err(refused) => {
                    self.state = State::Refused { refused, in_body };
                    return if released > 0 { Ok(released) } else { Err(refused) };
                }
            };
            self.state = next;
            if step == 0 {
                break;
            }
            released += step;
        }
        Ok(released)
    }

    /// Why nothing more will be admitted, if so.
    pub fn refused(&self) -> Option<Refused> {
        match self.state {
            State::Refused { refused, .. } => Some(refused),
            State::Head(_) | State::Sized(_) | State::Chunked(_) | State::Upgrading | State::Upgraded => None,
        }
    }

    /// Whether a body is under way, or was when it turned bad: then no other request can follow in order.
    pub fn is_in_body(&self) -> bool {
        match self.state {
            State::Sized(_) | State::Chunked(_) => true,
            State::Refused { in_body, .. } => in_body,
            State::Head(_) | State::Upgrading | State::Upgraded => false,
        }
    }

    /// Whether the last head asked for an upgrade that nobody has answered yet.
    pub fn is_upgrading(&self) -> bool {
        matches!(self.state, State::Upgrading)
    }

    /// The upgrade was answered with 101: everything passes from here on.
    pub fn upgraded(&mut self) {
        self.state = State::Upgraded;
    }

    /// The upgrade was not taken. What came behind its head, or is still on its way, was meant for the other protocol and
    /// must not be read as a request: the connection is over (H4).
    pub fn not_upgraded(&mut self) {
        self.state = State::Refused { refused: Refused::Framing, in_body: false };
    }

    /// The upgrade was answered with a question, and the peer is one that waits for it: what follows is a request, which
    /// answers it.
    pub fn asked_back(&mut self) {
        self.state = State::default();
    }

    fn step(&mut self, rest: &[u8]) -> Result<(usize, State), Refused> {
        let state = std::mem::take(&mut self.state);
        match state {
            State::Head(seen) => match Head::read(rest, seen)? {
                Some(head) => Ok((head.length, after(&head))),
                None => Ok((0, State::Head(rest.len()))),
            },
            State::Sized(left) => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                Ok((taken, if left == 0 { State::default() } else { State::Sized(left) }))
            }
            State::Chunked(mut chunked) => {
                let taken = chunked.release(rest)?;
                Ok((taken, if chunked.is_complete() { State::default() } else { State::Chunked(chunked) }))
            }
            State::Upgrading => Ok((0, State::Upgrading)),
            State::Upgraded => Ok((rest.len(), State::Upgraded)),
            State::Refused { refused, .. } => Err(refused),
        }
    }
}

fn after(head: &Head) -> State {
    match head.body {
        _ if head.upgrades => State::Upgrading,
        Body::None | Body::Sized(0) => State::default(),
        Body::Sized(length) => State::Sized(length),
        Body::Chunked => State::Chunked(Chunked::default()),
    }
}
