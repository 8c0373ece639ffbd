//! Which sign-ins are used, and the end of those that are not.

use crate::{
    Actor, ChangeError, Kind, Store,
    change::Note,
    db::{execute, fetch_all},
};
use postern_ids::{SignInId, Timestamp};

/// Sign-ins written in one transaction: it holds the lock of an embedded store for some milliseconds.
const AT_ONCE: usize = 500;

impl Store {
    /// Notes that these sign-ins are in use.
    pub async fn note_sign_ins_used(&self, sign_ins: &[SignInId], now: Timestamp) -> Result<(), ChangeError> {
        for some in sign_ins.chunks(AT_ONCE) {
            let mut tx = self.inner.pools.write().await?;
            for id in some {
                execute!(
                    &mut tx,
                    "UPDATE sign_ins SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)",
                    id.to_string(),
                    now.as_micros()
                )?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Ends the live sign-ins of a client that were last used before `used_before`, and moves the revision, so that their
    /// sessions are cut. Gives how many there were.
    pub async fn end_idle_sign_ins(
        &self,
        client_id: &str,
        used_before: Timestamp,
        now: Timestamp,
    ) -> Result<usize, ChangeError> {
        let mut tx = self.inner.pools.read().await?;
        let idle: Vec<(String,)> = fetch_all!(
            &mut tx,
            (String,),
            "SELECT id FROM sign_ins WHERE client_id = $1 AND ended_at IS NULL AND expires_at > $3 AND used_at < $2 LIMIT 500",
            client_id,
            used_before.as_micros(),
            now.as_micros()
        )?;
        drop(tx);
        if idle.is_empty() {
            return Ok(0);
        }
        let mut change = self.change(Actor::system("idle"), now).await?;
        let mut ended = 0;
        for (id,) in &idle {
            // It may have been used, or ended, since it was read.
            let rows = execute!(
                &mut change.tx,
                "UPDATE sign_ins SET ended_at = $3, end_reason = 'idle' WHERE id = $1 AND ended_at IS NULL AND used_at < $2",
                id,
                used_before.as_micros(),
                now.as_micros()
            )?;
            if rows > 0 {
                ended += 1;
                change.touch(Kind::SignIn, id);
                change.note(Note { after: Some("idle".into()), ..Note::new(Kind::SignIn, "ended", id) });
            }
        }
        change.commit().await?;
        Ok(ended)
    }
}
