//! Ending a session wherever it lives: a change like every other that takes a right, so that every gateway hears of it.

use crate::{
    Actor, ChangeError, Kind, Revision, Store, StoreError,
    change::Note,
    db::{Tx, execute, fetch_all},
};
use postern_ids::{Ended, SessionId, Timestamp};
use std::{collections::HashMap, time::Duration};

/// How long an ended session stays listed: longer than a ticket lives that could bring it back at a gateway which had not
/// heard of it.
const LISTED_FOR: Duration = Duration::from_secs(8 * 24 * 3600);
/// How long it stays listed once its end is recorded: whoever recorded it has cut it, and a connector that did not hear of
/// that gives the stream up within minutes.
const LISTED_AFTER_ITS_END: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Ends a session for good, on whichever gateway it lives or could be resumed, and moves the revision, so that it is cut
    /// there. Ending it again changes nothing.
    pub async fn end_session(
        &self,
        session: SessionId,
        ended: Ended,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Revision, ChangeError> {
        let mut change = self.change(by.clone(), now).await?;
        let listed = execute!(
            &mut change.tx,
            "INSERT INTO ended_sessions (session_id, ended, ended_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            session.to_string(),
            ended.label(),
            now.as_micros()
        )?;
        if listed > 0 {
            change.touch(Kind::Session, &session);
            // The end itself is recorded by the gateway that cuts it.
            let note = Note::new(Kind::Session, "end_ordered", &session);
            change.note(Note { after: Some(ended.label().into()), ..note });
        }
        change.commit().await
    }
}

/// The sessions that are listed.
pub(crate) async fn ended_sessions(
    tx: &mut Tx,
    now: Timestamp,
) -> Result<HashMap<SessionId, Ended>, StoreError> {
    let rows: Vec<(String, String)> = fetch_all!(
        tx,
        (String, String),
        "SELECT session_id, ended FROM ended_sessions WHERE ended_at > $1",
        now.minus(LISTED_FOR).as_micros()
    )?;
    let parsed = rows.iter().map(|(id, label)| {
        let session = id.parse().map_err(|_| StoreError::corrupt("ended_sessions.session_id", id))?;
        // A word that only a newer gateway knows ends it as well.
        Ok((session, Ended::from_label(label).unwrap_or(Ended::EndedByAdmin)))
    });
    parsed.collect()
}

/// Forgets those that nothing can bring back any more.
pub(crate) async fn forget_ended_sessions(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "DELETE FROM ended_sessions WHERE ended_at <= $1 OR (ended_at <= $2 AND session_id IN (
            SELECT s.id FROM sessions s JOIN ended_sessions e ON e.session_id = s.id WHERE s.ended_at <= $2))",
        now.minus(LISTED_FOR).as_micros(),
        now.minus(LISTED_AFTER_ITS_END).as_micros()
    )?;
    Ok(())
}
