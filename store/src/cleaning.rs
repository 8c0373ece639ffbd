//! Removes what nobody can use any more.

use crate::{
    Store, StoreError,
    change::{column, count},
    db::{execute, fetch_optional},
    records::forget_ended_sessions,
};
use postern_ids::Timestamp;
use std::time::Duration;

/// How long spent and expired credentials stay, to tell a replay from an unknown one.
const SPENT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long ended sign-ins stay, for whoever looks at them.
const SIGN_INS_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// A parallel command may ask for the same successor for 30 s; a minute leaves room for clocks that differ.
const SUCCESSOR_FOR: Duration = Duration::from_secs(60);
/// Revisions whose changes stay listed; a gateway that was away for longer drops its caches.
const REVISIONS_LISTED: u64 = 10_000;

impl Store {
    /// Removes expired codes and tokens, sealed successors that are no longer handed out, and old change rows. Call it
    /// every few minutes; it takes no right from anybody.
    pub async fn clean(&self, now: Timestamp) -> Result<(), StoreError> {
        let (instant, spent) = (now.as_micros(), now.minus(SPENT_FOR).as_micros());
        let mut tx = self.inner.pools.write().await?;
        execute!(&mut tx, "DELETE FROM device_codes WHERE expires_at <= $1", instant)?;
        execute!(&mut tx, "DELETE FROM bootstrap_tokens WHERE expires_at <= $1", instant)?;
        execute!(&mut tx, "DELETE FROM authorization_codes WHERE expires_at <= $1", spent)?;
        execute!(&mut tx, "DELETE FROM sign_in_origins WHERE noted_at <= $1", spent)?;
        execute!(&mut tx, "DELETE FROM enrolment_tokens WHERE expires_at <= $1", spent)?;
        execute!(&mut tx, "DELETE FROM refresh_tokens WHERE expires_at <= $1", spent)?;
        execute!(&mut tx, "DELETE FROM app_tokens WHERE expires_at <= $1", spent)?;
        execute!(
            &mut tx,
            "UPDATE refresh_tokens SET successor_sealed = NULL WHERE successor_sealed IS NOT NULL AND used_at <= $1",
            now.minus(SUCCESSOR_FOR).as_micros()
        )?;
        execute!(
            &mut tx,
            "DELETE FROM sign_ins WHERE expires_at <= $1",
            now.minus(SIGN_INS_FOR).as_micros()
        )?;
        forget_ended_sessions(&mut tx, now).await?;
        let row: Option<(i64,)> =
            fetch_optional!(&mut tx, (i64,), "SELECT revision FROM meta WHERE one = 1")?;
        let (revision,) = row.ok_or_else(|| StoreError::corrupt("meta", "no row"))?;
        let listed_after = count(revision, "meta.revision")?.saturating_sub(REVISIONS_LISTED);
        execute!(&mut tx, "DELETE FROM changes WHERE revision <= $1", column(listed_after))?;
        tx.commit().await
    }
}
