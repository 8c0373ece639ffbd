//! Rings the bell when Postgres says that something changed. Never trusted to be complete: the poll goes on.

use crate::{change::CHANNEL, wake::Wake};
use sqlx::{PgPool, postgres::PgListener};
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long to leave a server alone that refused the listener.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The listening task; it ends with this value.
pub(super) struct Listening(AbortHandle);

impl Listening {
    pub(super) fn start(pool: PgPool, wake: Wake) -> Self {
        Self(tokio::spawn(listen(pool, wake)).abort_handle())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(pool: PgPool, wake: Wake) {
    loop {
        if let Err(error) = listen_once(&pool, &wake).await {
            tracing::debug!(error = %error, "the listener lost its connection; the poll goes on");
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn listen_once(pool: &PgPool, wake: &Wake) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // `None` is a lost connection that was replaced: what was sent in between is unknown, so it rings as well.
        listener.try_recv().await?;
        wake.ring();
    }
}
