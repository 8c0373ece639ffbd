//! The connections of one session to its application. They are the session's own: an application that answers out of
//! step can confuse one person's requests with each other, never two people's.

use super::upstream::Connection;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Connections at rest that are kept. Over HTTP/2 a browser asks for a hundred things at once, and their answers end
/// together: what is not kept then has to be granted and dialled again for the next page.
const KEPT_MAX: usize = 128;
/// A connection at rest is closed after this long, before most servers do it.
const REST_MAX: Duration = Duration::from_secs(30);

/// Connections at rest, and the one that all requests share where the application speaks HTTP/2.
#[derive(Debug, Default)]
pub(super) struct Pool {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    resting: Vec<(Connection, Instant)>,
    is_closed: bool,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is ready for a request.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut state = self.lock();
        let now = Instant::now();
        state.resting.retain(|(connection, since)| {
            !connection.is_closed() && now.saturating_duration_since(*since) < REST_MAX
        });
        // The one that rested least is the least likely to have been given up by the other side.
        let at = state.resting.iter().rposition(|(connection, _)| connection.is_ready())?;
        match &state.resting.get(at)?.0 {
            shared @ Connection::H2(_) => shared.clone_shared(),
            Connection::H1(_) => Some(state.resting.remove(at).0),
        }
    }

    /// Keeps a connection whose last request is over, or will be in a moment.
    pub(super) fn keep(&self, connection: Connection) {
        let mut state = self.lock();
        if state.is_closed || state.resting.len() >= KEPT_MAX || connection.is_closed() {
            return;
        }
        state.resting.push((connection, Instant::now()));
    }

    /// Closes what rests, now and later.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.resting.clear();
    }
}
