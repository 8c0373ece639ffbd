//! Settings of the whole installation.

use crate::{
    Change, ChangeError, Expect, Kind, Store, StoreError, Stored, Version,
    change::{Note, count},
    db::{Tx, execute, fetch_optional},
};
use postern_ids::Timestamp;
use postern_policy::model::Settings;

/// There is one row of settings; this is what errors call it.
const ID: &str = "settings";

pub(crate) async fn settings(tx: &mut Tx) -> Result<Stored<Settings>, StoreError> {
    let row: Option<(String, i64, i64, i64)> = fetch_optional!(
        tx,
        (String, i64, i64, i64),
        "SELECT body, version, created_at, updated_at FROM settings WHERE one = 1"
    )?;
    let (body, version, created_at, updated_at) = row.ok_or_else(|| StoreError::corrupt(ID, "no row"))?;
    Ok(Stored {
        value: serde_json::from_str(&body).map_err(|error| StoreError::corrupt(ID, error))?,
        version: Version(count(version, ID)?),
        created_at: Timestamp::from_micros(created_at),
        updated_at: Timestamp::from_micros(updated_at),
    })
}

impl Store {
    /// The settings in force.
    pub async fn settings(&self) -> Result<Stored<Settings>, StoreError> {
        settings(&mut self.inner.pools.read().await?).await
    }
}

impl Change {
    /// Replaces the settings; they always exist, so [`Expect::New`] is a conflict.
    pub async fn put_settings(
        &mut self,
        settings: &Settings,
        expect: Expect,
    ) -> Result<Version, ChangeError> {
        let done = self.put_settings_unwatched(settings, expect).await;
        self.watch(done)
    }

    async fn put_settings_unwatched(
        &mut self,
        after: &Settings,
        expect: Expect,
    ) -> Result<Version, ChangeError> {
        let before = settings(&mut self.tx).await?;
        if expect != Expect::Any && expect != Expect::At(before.version) {
            return Err(ChangeError::Conflict {
                kind: Kind::Settings,
                id: ID.into(),
                found: Some(before.version),
            });
        }
        if before.value == *after {
            return Ok(before.version);
        }
        let body = serde_json::to_string(after).map_err(|error| StoreError::corrupt(ID, error))?;
        execute!(
            &mut self.tx,
            "UPDATE settings SET body = $1, version = version + 1, updated_at = $2 WHERE one = 1",
            &body,
            self.now.as_micros()
        )?;
        let mut note = Note::new(Kind::Settings, "updated", &ID);
        note.before = super::json(&before.value)?;
        note.after = super::json(after)?;
        self.touch(Kind::Settings, &ID);
        self.note(note);
        Ok(Version(before.version.0 + 1))
    }
}
