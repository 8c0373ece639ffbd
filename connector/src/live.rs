//! The sessions that this process carries, so that an order to end one reaches every lane of it.

use postern_ids::{Ended, SessionId};
use postern_tunnel_io::Cut;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The table of live lanes by session; bounded.
#[derive(Debug, Clone)]
pub struct Live(Arc<Table>);

#[derive(Debug)]
struct Table {
    sessions: Mutex<Sessions>,
    lanes_max: usize,
    left: Notify,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<SessionId, (Cut, usize)>,
    lanes: usize,
}

impl Live {
    /// An empty table for this many lanes.
    pub fn new(lanes_max: usize) -> Self {
        Self(Arc::new(Table { sessions: Mutex::default(), lanes_max, left: Notify::new() }))
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.0.lanes_max
    }

    /// Lanes now.
    pub fn len(&self) -> usize {
        self.0.lock().lanes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Enters one lane of a session; nothing at the limit.
    pub fn enter(&self, session: SessionId) -> Option<Entry> {
        let mut sessions = self.0.lock();
        if sessions.lanes >= self.0.lanes_max {
            return None;
        }
        sessions.lanes += 1;
        let (cut, lanes) = sessions.by_id.entry(session).or_default();
        *lanes += 1;
        Some(Entry { session, cut: cut.clone(), table: self.0.clone() })
    }

    /// Ends every lane of a session. Returns whether there was one.
    pub fn kill(&self, session: SessionId, ended: Ended) -> bool {
        let cut = self.0.lock().by_id.get(&session).map(|(cut, _)| cut.clone());
        cut.is_some_and(|cut| cut.cut(ended))
    }

    /// Ends everything.
    pub fn kill_all(&self, ended: Ended) {
        let cuts: Vec<Cut> = self.0.lock().by_id.values().map(|(cut, _)| cut.clone()).collect();
        for cut in cuts {
            cut.cut(ended);
        }
    }

    /// Waits until no lane is left.
    pub async fn empty(&self) {
        loop {
            let left = self.0.left.notified();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lane in the table; leaves it when dropped.
#[derive(Debug)]
pub struct Entry {
    session: SessionId,
    cut: Cut,
    table: Arc<Table>,
}

impl Entry {
    /// The session.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The session's cut.
    pub fn cut(&self) -> Cut {
        self.cut.clone()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut sessions = self.table.lock();
        sessions.lanes = sessions.lanes.saturating_sub(1);
        if let Some((_, lanes)) = sessions.by_id.get_mut(&self.session) {
            *lanes = lanes.saturating_sub(1);
            if *lanes == 0 {
                sessions.by_id.remove(&self.session);
            }
        }
        if sessions.by_id.is_empty() {
            // A table that once held thousands gives its memory back.
            sessions.by_id = HashMap::new();
        }
        drop(sessions);
        self.table.left.notify_waiters();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use postern_ids::Timestamp;

    fn session(n: u8) -> SessionId {
        SessionId::mint(Timestamp::EPOCH, [n; 10])
    }

    #[tokio::test]
    async fn an_order_to_end_a_session_reaches_each_of_its_lanes_and_no_other() {
        let live = Live::new(8);
        let (first, second, other) = (
            live.enter(session(1)).unwrap(),
            live.enter(session(1)).unwrap(),
            live.enter(session(2)).unwrap(),
        );
        assert!(live.kill(session(1), Ended::Revoked));
        assert!(!live.kill(session(3), Ended::Revoked), "an unknown session is no news");
        assert_eq!((first.cut().ended(), second.cut().ended()), (Some(Ended::Revoked), Some(Ended::Revoked)));
        assert_eq!(other.cut().ended(), None);
        drop((first, second, other));
        live.empty().await;
    }

    #[test]
    fn the_table_is_bounded_and_a_left_lane_makes_room() {
        let live = Live::new(1);
        let only = live.enter(session(1)).unwrap();
        assert!(live.enter(session(2)).is_none());
        drop(only);
        assert!(live.enter(session(2)).is_some());
    }
}
