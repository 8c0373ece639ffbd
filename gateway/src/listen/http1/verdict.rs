//! What became of the requests of one HTTP/1 connection: known to the side that reads and to the side that answers.

use crate::listen::CutShort;
use http::{Request, Response, StatusCode, header};
use postern_canonical::{Framing, Refused};
use std::sync::{Arc, Mutex, PoisonError};

/// Stands in for a head that was refused, so that its answer comes in order. No host has this name (RFC 6761 section 6.4).
pub(super) const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused.invalid\r\nconnection: close\r\n\r\n";
const STAND_IN_HOST: &[u8] = b"refused.invalid";

/// One connection's requests so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    framing: Framing,
    /// Why the last request was not taken, or not whole.
    refused: Option<Refused>,
    /// Bytes came behind a request for an upgrade that is not answered yet.
    is_early: bool,
    /// An answer was given behind which nothing is read.
    is_over: bool,
    /// What breaks the last answer off.
    cut: Option<CutShort>,
}

/// Why nothing more is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// A head has no good reading.
    Head,
    /// A body that was good so far has none.
    Body(Refused),
    /// The last answer was given.
    Over,
}

/// What is said of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes out.
    Good,
    /// It goes out, and nothing after it.
    Last,
    /// Another goes out in its place, and nothing after it.
    Refused(Refused),
}

/// An extension of an answer to an upgrade: it asks something, and the peer sends its answer on the same connection. Only
/// for peers that are known to wait for the question: those of our own tunnel.
#[derive(Debug, Clone, Copy)]
pub struct AsksBack;

impl Verdict {
    /// How many bytes from the front of `bytes`, which were not handed on yet, may be.
    pub(super) fn judge(&self, bytes: &[u8]) -> Result<usize, Bad> {
        self.with(|state| {
            if state.is_over {
                return Err(Bad::Over);
            }
            match state.framing.release(bytes) {
                Ok(count) => {
                    state.is_early = state.framing.is_upgrading() && count < bytes.len();
                    Ok(count)
                }
                Err(refused) => {
                    state.refused = Some(refused);
                    Err(if state.framing.is_in_body() { Bad::Body(refused) } else { Bad::Head })
                }
            }
        })
    }

    /// Why the request that this one stands in for was refused; `None` for a request of the peer.
    pub(super) fn stands_in<B>(&self, request: &Request<B>) -> Option<Refused> {
        let refused = self.with(|state| state.refused)?;
        let host = request.headers().get(header::HOST)?;
        (host.as_bytes() == STAND_IN_HOST).then_some(refused)
    }

    /// The request in hand is answered with this. A request for an upgrade decides there what follows it (H4).
    pub(super) fn answered<B>(&self, response: &Response<B>) -> Standing {
        let asks_back = response.extensions().get::<AsksBack>().is_some();
        let cut = response.extensions().get::<CutShort>().cloned();
        self.with(|state| state.cut = cut);
        self.with(|state| match (state.framing.is_upgrading(), response.status()) {
            (true, _) if asks_back && !state.is_early => {
                state.framing.asked_back();
                Standing::Good
            }
            (true, StatusCode::SWITCHING_PROTOCOLS) => {
                state.framing.upgraded();
                Standing::Good
            }
            (true, _) => {
                state.framing.not_upgraded();
                state.is_over = true;
                Standing::Last
            }
            // Requests behind it may have been handed on already; they are not for the other protocol.
            (false, StatusCode::SWITCHING_PROTOCOLS) => Standing::Refused(Refused::Head),
            (false, _) => match state.refused.filter(|_| state.framing.is_in_body()) {
                Some(refused) => Standing::Refused(refused),
                None => Standing::Good,
            },
        })
    }

    /// What breaks the answer off that is on its way.
    pub(super) fn cut(&self) -> Option<CutShort> {
        self.with(|state| state.cut.clone())
    }

    /// Whether the peer may still be sending what nobody reads.
    pub(super) fn is_cut_short(&self) -> bool {
        self.with(|state| state.is_over || state.refused.is_some() || state.framing.is_in_body())
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
