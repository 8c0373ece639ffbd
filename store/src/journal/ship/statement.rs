//! One statement for many rows, on either database.

/// Rows in one statement: a fixed number, so that the prepared statement is used again.
pub(super) const ROWS_PER_STATEMENT: usize = 50;

/// `for_rows!(tx, "INSERT …", rows, row => [values…], "ON CONFLICT …")`, or an `UPDATE … FROM (` with its rows in the middle:
/// the number of rows that it touched.
macro_rules! for_rows {
    ($tx:expr, $head:literal, $rows:expr, $row:ident => [$($value:expr),* $(,)?], $tail:literal) => {{
        let mut touched = 0;
        for chunk in $rows.chunks($crate::journal::ship::statement::ROWS_PER_STATEMENT) {
            let is_full = chunk.len() == $crate::journal::ship::statement::ROWS_PER_STATEMENT;
            touched += match $tx {
                $crate::db::Tx::Sqlite(tx) => {
                    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new($head);
                    query.push_values(chunk, |mut values, $row| { $(values.push_bind($value);)* });
                    query.push($tail);
                    $crate::db::bounded(query.build().persistent(is_full).execute(&mut **tx)).await.map(|done| done.rows_affected())
                }
                $crate::db::Tx::Postgres(tx) => {
                    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new($head);
                    query.push_values(chunk, |mut values, $row| { $(values.push_bind($value);)* });
                    query.push($tail);
                    $crate::db::bounded(query.build().persistent(is_full).execute(&mut **tx)).await.map(|done| done.rows_affected())
                }
            }
            .map_err($crate::StoreError::from)?;
        }
        touched
    }};
}

pub(super) use for_rows;
