//! One look at the live sessions, in slices, so that nobody waits for the whole of it.

use crate::Deny;
use postern_ids::{Ended, SessionId};

/// A session that must end. It is out of the table already: whoever holds the cut ends it, first the bytes, then the record.
#[derive(Debug)]
pub struct Cut<H> {
    /// Which session.
    pub session: SessionId,
    /// How it ends.
    pub ended: Ended,
    /// The decision that ended it; none when an administrator did.
    pub deny: Option<Deny>,
    /// What the session was entered with.
    pub handle: H,
}

/// A pass over the table that has been begun and not finished.
#[derive(Debug)]
pub struct Pass<'a, H> {
    pub(super) table: &'a super::LiveTable<H>,
}

impl<H> Pass<'_, H> {
    /// Looks at up to `entries` sessions and gives those that must end.
    pub fn step(&mut self, _entries: usize) -> Vec<Cut<H>> {
        let _ = self.table;
        todo!()
    }

    /// Whether every session was looked at.
    pub fn is_done(&self) -> bool {
        todo!()
    }
}
