//! Paths name objects by id or by name; both lead to one object, or to the same 404.

use crate::{WebState, problem::Failure};
use postern_ids::Name;
use postern_store::{Object, StoreError, Stored};
use std::str::FromStr;

/// The object that a path names.
pub(crate) async fn named<T>(state: &WebState, text: &str) -> Result<Stored<T>, Failure>
where
    T: Object,
    T::Id: FromStr,
{
    let found = find::<T>(state, text).await?;
    found.ok_or_else(|| Failure::not_found(&T::KIND.to_string()))
}

/// The object with this id or name, if there is one.
pub(crate) async fn find<T>(state: &WebState, text: &str) -> Result<Option<Stored<T>>, StoreError>
where
    T: Object,
    T::Id: FromStr,
{
    if let Ok(id) = text.parse::<T::Id>()
        && let Some(found) = state.store().find::<T>(&id).await?
    {
        return Ok(Some(found));
    }
    match text.parse::<Name>() {
        Ok(name) => state.store().find_named::<T>(&name).await,
        Err(_) => Ok(None),
    }
}
