//! A store that answers late: a start waits for it, because whoever starts the gateway again would only wait too.

use crate::{exit::chain, policies::wall_clock};
use postern_store::{OpenError, Store, StoreConfig};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a database is waited for that restarts, is busy, or is not reached.
struct Patience {
    whole: Duration,
    /// Between two tries; each takes its own time too.
    pause: Duration,
}

const PATIENCE: Patience = Patience { whole: Duration::from_secs(30), pause: Duration::from_millis(500) };

/// Opens the store. What waiting cannot cure fails at once: credentials, a schema, a master key.
pub(super) async fn open(config: &StoreConfig) -> Result<Store, OpenError> {
    PATIENCE.keep_trying(async || Store::open(config.clone(), wall_clock()).await).await
}

impl Patience {
    async fn keep_trying<T>(
        &self,
        mut open: impl AsyncFnMut() -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match open().await {
                Ok(opened) => {
                    if tries > 1 {
                        tracing::info!(tries, waited = ?began.elapsed(), "the database answered");
                    }
                    return Ok(opened);
                }
                Err(error) => error,
            };
            if !error.may_pass() || began.elapsed() + self.pause >= self.whole {
                return Err(error);
            }
            let (why, waited) = (chain(&error), began.elapsed());
            tracing::warn!(
                error = why,
                ?waited,
                "the database does not answer yet: trying again, for {:?} in all",
                self.whole
            );
            sleep(self.pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_store::StoreError;

    const SHORT: Patience = Patience { whole: Duration::from_millis(100), pause: Duration::from_millis(10) };

    fn late() -> OpenError {
        OpenError::Store(StoreError::Unavailable(Box::new(std::io::Error::other("pool timed out"))))
    }

    #[tokio::test]
    async fn f08_a_database_that_answers_late_is_waited_for() {
        let mut tries = 0;
        let opened = SHORT.keep_trying(async || {
            tries += 1;
            if tries < 4 { Err(late()) } else { Ok(()) }
        });
        assert!(opened.await.is_ok());
        assert_eq!(tries, 4);
    }

    #[tokio::test]
    async fn f08_a_database_that_never_answers_is_given_up_in_time() {
        let began = Instant::now();
        let given_up = SHORT.keep_trying(async || Err::<(), _>(late())).await;
        assert!(matches!(given_up, Err(OpenError::Store(StoreError::Unavailable(_)))));
        assert!(began.elapsed() >= SHORT.whole - SHORT.pause);
    }

    #[tokio::test]
    async fn what_waiting_cannot_cure_fails_at_once() {
        let mut tries = 0;
        let refused = SHORT.keep_trying(async || {
            tries += 1;
            Err::<(), _>(OpenError::SchemaTooNew { found: 9, known: 7 })
        });
        assert!(matches!(refused.await, Err(OpenError::SchemaTooNew { .. })));
        assert_eq!(tries, 1);
    }
}
