//! The objects that administrators manage: what all of them share.

mod catalog;
mod connectors;
mod effects;
mod groups;
mod people;
mod providers;
mod service_accounts;
mod settings;
mod users;

pub(crate) use catalog::Row;
pub(crate) use groups::groups_of;
pub use people::{Vouched, WelcomeError};
pub use providers::Provider;
pub use service_accounts::ServiceAccount;
pub(crate) use settings::settings;
pub use users::{LocalAccount, User};

use crate::{
    Change, ChangeError, Expect, Kind, Store, StoreError, Version,
    change::{Note, count},
    db::{Tx, execute, fetch_all, fetch_optional},
};
use postern_ids::{Name, Timestamp};
use serde::Serialize;
use std::fmt;

/// An object as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// The object.
    pub value: T,
    /// Its version.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// A kind of object with an id and a unique name.
pub trait Object: Row + Clone + Send + Sync + 'static {
    /// Its id; windows and thresholds have none but their name.
    type Id: fmt::Display + Clone + Send + Sync;
    /// Which kind it is.
    const KIND: Kind;
    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its name, unique in its kind.
    fn name(&self) -> &Name;
}

type Columns = (String, String, i64, i64, i64);

/// A row as it is stored; one that does not parse names itself, so that it can be found.
fn parse<T: Object>((id, body, version, created_at, updated_at): Columns) -> Result<Stored<T>, StoreError> {
    let value = serde_json::from_str(&body)
        .map_err(|error| StoreError::corrupt(T::TABLE, format!("{id}: {error}")))?;
    Ok(Stored {
        value,
        version: Version(count(version, T::TABLE)?),
        created_at: Timestamp::from_micros(created_at),
        updated_at: Timestamp::from_micros(updated_at),
    })
}

pub(crate) async fn select_all<T: Object>(tx: &mut Tx) -> Result<Vec<Stored<T>>, StoreError> {
    let rows: Vec<Columns> = fetch_all!(tx, Columns, T::SELECT_ALL)?;
    rows.into_iter().map(parse).collect()
}

pub(crate) async fn select_one<T: Object>(
    tx: &mut Tx,
    sql: &'static str,
    key: &str,
) -> Result<Option<Stored<T>>, StoreError> {
    let row: Option<Columns> = fetch_optional!(tx, Columns, sql, key)?;
    row.map(parse).transpose()
}

impl Store {
    /// All objects of a kind, by name.
    pub async fn all<T: Object>(&self) -> Result<Vec<Stored<T>>, StoreError> {
        select_all(&mut self.inner.pools.read().await?).await
    }

    /// The object with this id.
    pub async fn find<T: Object>(&self, id: &T::Id) -> Result<Option<Stored<T>>, StoreError> {
        select_one(&mut self.inner.pools.read().await?, T::SELECT_BY_ID, &id.to_string()).await
    }

    /// The object with this name.
    pub async fn find_named<T: Object>(&self, name: &Name) -> Result<Option<Stored<T>>, StoreError> {
        select_one(&mut self.inner.pools.read().await?, T::SELECT_BY_NAME, name.as_str()).await
    }
}

impl Change {
    /// Writes an object. An equal object at the expected version is left alone.
    pub async fn put<T: Object>(&mut self, object: &T, expect: Expect) -> Result<Version, ChangeError> {
        let done = self.put_unwatched(object, expect).await;
        self.watch(done)
    }

    /// Removes an object; its id is never given to another one.
    pub async fn delete<T: Object>(&mut self, id: &T::Id, expect: Expect) -> Result<(), ChangeError> {
        let done = self.delete_unwatched::<T>(id, expect).await;
        self.watch(done)
    }

    /// The object with this id, as this transaction sees it.
    pub async fn find<T: Object>(&mut self, id: &T::Id) -> Result<Option<Stored<T>>, ChangeError> {
        let found =
            select_one(&mut self.tx, T::SELECT_BY_ID, &id.to_string()).await.map_err(ChangeError::from);
        self.watch(found)
    }

    /// The object with this name, as this transaction sees it.
    pub async fn find_named<T: Object>(&mut self, name: &Name) -> Result<Option<Stored<T>>, ChangeError> {
        let found =
            select_one(&mut self.tx, T::SELECT_BY_NAME, name.as_str()).await.map_err(ChangeError::from);
        self.watch(found)
    }

    // Changes run one after the other (the row in `meta`), so what is read here cannot move before the write.
    async fn put_unwatched<T: Object>(&mut self, object: &T, expect: Expect) -> Result<Version, ChangeError> {
        let id = object.id();
        let found = select_one::<T>(&mut self.tx, T::SELECT_BY_ID, &id.to_string()).await?;
        let found = expected(found, &id, expect)?;
        if let Some(found) = &found
            && found.value == *object
        {
            return Ok(found.version);
        }
        effects::keep_builtin(found.as_ref().map(|f| &f.value), Some(object))?;
        let body = serde_json::to_string(object).map_err(|error| StoreError::corrupt(T::TABLE, error))?;
        let mut note = Note::new(T::KIND, if found.is_some() { "updated" } else { "created" }, &id);
        note.after = json(object)?;
        let version = match &found {
            Some(found) => {
                object
                    .update(&mut self.tx, &body, self.now)
                    .await
                    .map_err(|error| error.about(T::KIND, &id))?;
                note.before = json(&found.value)?;
                Version(found.version.0 + 1)
            }
            None => {
                self.refuse_retired::<T>(&id).await?;
                object
                    .insert(&mut self.tx, &body, self.now)
                    .await
                    .map_err(|error| error.about(T::KIND, &id))?;
                Version(1)
            }
        };
        self.touch(T::KIND, &id);
        self.note(note);
        self.after_write(T::KIND, &id.to_string()).await?;
        Ok(version)
    }

    async fn delete_unwatched<T: Object>(&mut self, id: &T::Id, expect: Expect) -> Result<(), ChangeError> {
        let text = id.to_string();
        let found = select_one::<T>(&mut self.tx, T::SELECT_BY_ID, &text).await?;
        let found = match expect {
            Expect::New => {
                return Err(ChangeError::Conflict {
                    kind: T::KIND,
                    id: text,
                    found: found.map(|f| f.version),
                });
            }
            Expect::At(_) | Expect::Any => expected(found, id, expect)?,
        };
        let found = found.ok_or_else(|| ChangeError::Missing { kind: T::KIND, id: text.clone() })?;
        effects::keep_builtin(Some(&found.value), None)?;
        self.before_delete(T::KIND, &text).await?;
        execute!(&mut self.tx, T::DELETE, &text).map_err(|error| error.about(T::KIND, id))?;
        if T::RETIRES_IDS {
            execute!(&mut self.tx, "INSERT INTO retired_ids (id) VALUES ($1)", &text)?;
        }
        let mut note = Note::new(T::KIND, "deleted", id);
        note.before = json(&found.value)?;
        self.touch(T::KIND, id);
        self.note(note);
        Ok(())
    }

    async fn refuse_retired<T: Object>(&mut self, id: &T::Id) -> Result<(), ChangeError> {
        let text = id.to_string();
        let retired: Option<(String,)> =
            fetch_optional!(&mut self.tx, (String,), "SELECT id FROM retired_ids WHERE id = $1", &text)?;
        match retired {
            Some(_) => Err(ChangeError::Taken { kind: T::KIND, id: text }),
            None => Ok(()),
        }
    }
}

/// Optimistic concurrency: the writer must have seen what is there.
fn expected<T: Object>(
    found: Option<Stored<T>>,
    id: &T::Id,
    expect: Expect,
) -> Result<Option<Stored<T>>, ChangeError> {
    match (expect, found) {
        (Expect::New, None) => Ok(None),
        (Expect::Any, found) => Ok(found),
        (Expect::At(version), Some(found)) if found.version == version => Ok(Some(found)),
        (Expect::At(_), None) => Err(ChangeError::Missing { kind: T::KIND, id: id.to_string() }),
        (Expect::New | Expect::At(_), Some(found)) => {
            Err(ChangeError::Conflict { kind: T::KIND, id: id.to_string(), found: Some(found.version) })
        }
    }
}

fn json<T: Serialize>(object: &T) -> Result<Option<serde_json::Value>, StoreError> {
    serde_json::to_value(object).map(Some).map_err(|error| StoreError::corrupt("audit", error))
}
