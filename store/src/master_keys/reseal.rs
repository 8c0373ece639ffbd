//! Seals anew what is sealed under an earlier key: a value at a time, each only if it is still the one that was read, so that
//! neither another gateway nor whoever writes the row is in the way.

use crate::{
    Store, StoreError,
    db::{execute, fetch_all, fetch_optional},
    seal::{KeyId, Place},
};

/// A column with sealed values. The statements skip the format, which is one byte, and compare the key's id, which is eight.
struct Column {
    table: &'static str,
    name: &'static str,
    /// A page of what is sealed under another key: after this id, and the key in force.
    others: &'static str,
    replace: &'static str,
}

macro_rules! column {
    ($table:literal, $id:literal, $name:literal) => {
        Column {
            table: $table,
            name: $name,
            others: concat!(
                "SELECT ",
                $id,
                ", ",
                $name,
                " FROM ",
                $table,
                " WHERE ",
                $id,
                " > $1 AND substr(",
                $name,
                ", 2, 8) <> $2 ORDER BY ",
                $id,
                " LIMIT 100"
            ),
            replace: concat!(
                "UPDATE ",
                $table,
                " SET ",
                $name,
                " = $3 WHERE ",
                $id,
                " = $1 AND ",
                $name,
                " = $2"
            ),
        }
    };
}

/// All of them but the successors of refresh tokens: those are of no use after half a minute and then removed.
const COLUMNS: [Column; 4] = [
    column!("signing_keys", "kid", "secret_sealed"),
    column!("providers", "id", "client_secret_sealed"),
    column!("sign_ins", "id", "provider_refresh_sealed"),
    column!("sign_ins", "id", "provider_id_token_sealed"),
];

/// Seals everything under this key, which must be the one in use. Gives how many values were under another one.
pub(super) async fn reseal(store: &Store, in_force: KeyId) -> Result<u64, StoreError> {
    let mut resealed = 0;
    for column in &COLUMNS {
        let mut after = String::new();
        loop {
            let rows = page(store, column, &after, in_force).await?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (id, sealed) in &rows {
                resealed += u64::from(replace(store, column, id, sealed).await?);
            }
        }
    }
    Ok(resealed)
}

async fn page(
    store: &Store,
    column: &Column,
    after: &str,
    in_force: KeyId,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let mut tx = store.inner.pools.read().await?;
    Ok(fetch_all!(&mut tx, (String, Vec<u8>), column.others, after, in_force.to_vec())?)
}

/// A value that does not open is left as it is: whoever needs it is told so then.
async fn replace(store: &Store, column: &Column, id: &str, sealed: &[u8]) -> Result<bool, StoreError> {
    let place = Place { table: column.table, id, column: column.name };
    let secret = match store.inner.seals.open(place, sealed) {
        Ok(secret) => secret,
        Err(error) => {
            tracing::warn!(table = column.table, id, error = %error, "a sealed value cannot be sealed anew");
            return Ok(false);
        }
    };
    let anew = store.inner.seals.seal(place, &secret);
    let mut tx = store.inner.pools.write().await?;
    execute!(&mut tx, column.replace, id, sealed, anew)?;
    tx.commit().await?;
    Ok(true)
}

/// Whether nothing that could still be asked for is under another key.
pub(super) async fn is_done(store: &Store, in_force: KeyId) -> Result<bool, StoreError> {
    let mut tx = store.inner.pools.read().await?;
    let left: Option<(String,)> = fetch_optional!(
        &mut tx,
        (String,),
        "SELECT sign_in_id FROM refresh_tokens WHERE successor_sealed IS NOT NULL AND substr(successor_sealed, 2, 8) <> $1 LIMIT 1",
        in_force.to_vec()
    )?;
    Ok(left.is_none())
}
