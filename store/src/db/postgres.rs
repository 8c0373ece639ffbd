//! The shared database: a bounded pool with short limits, so that a slow server never holds a caller.

use super::{bounded, statement::DbError};
use crate::OpenError;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// Enough for the admin API and the feed; sessions do not use the database.
const CONNECTIONS_MAX: u32 = 10;
/// How long a caller waits for a connection.
const ACQUIRE_MAX: Duration = Duration::from_millis(1500);
/// A connection is replaced after this time, so that a moved server is found again.
const LIFETIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The pool for everything, and the options to connect the listener with.
pub(crate) struct PgPools {
    pub(crate) main: PgPool,
    pub(crate) listener: PgPool,
}

impl PgPools {
    pub(crate) async fn open(url: &str) -> Result<Self, OpenError> {
        // The error of the parser may quote the URL, and with it the password.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| OpenError::Location("not a postgres:// URL".to_owned()))?
            .application_name("postern")
            .options([
                ("statement_timeout", "3000"),
                ("lock_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "10000"),
            ]);
        let main = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_MAX)
            .max_lifetime(LIFETIME_MAX)
            .connect_with(options.clone());
        let main = bounded(main).await.map_err(|error: DbError| OpenError::Store(error.into()))?;
        // Its one connection is held for ever: it must not take a place in the main pool.
        let listener =
            PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_MAX).connect_lazy_with(options);
        Ok(Self { main, listener })
    }
}
