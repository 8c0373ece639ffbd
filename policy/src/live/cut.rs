//! What comes out of the table to be ended.

use crate::deny::Deny;
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
