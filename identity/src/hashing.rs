//! Argon2id in a bounded pool: a storm of sign-ins waits in a short queue and is then refused, and the rest of the
//! gateway does not notice.

use crate::Password;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// How many may wait for a core; at some 40 ms each the last of them waits a few seconds.
const QUEUE_MAX: usize = 100;

/// A hash of nothing in particular, with the same cost as real ones: an unknown user takes as long as a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cG9zdGVybi1ub2JvZHk$XtsKWivmNFyC4RgY9As8c1itE4g0YNbk44ooYcM/XuE";

/// Why a password was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashRefused {
    /// Too many are waiting.
    #[error("too many sign-ins at once")]
    Busy,
    /// The hash function failed, or its task was stopped.
    #[error("the password could not be hashed")]
    Failed,
}

/// Hashes and verifies passwords, at most one per core at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HashPool {
    cores: Arc<Semaphore>,
    queued: Arc<AtomicUsize>,
}

struct Queued(Arc<AtomicUsize>);

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HashPool {
    /// A pool for this many cores.
    pub fn new(cores: usize) -> Self {
        Self { cores: Arc::new(Semaphore::new(cores.max(1))), queued: Arc::default() }
    }

    /// The hash of a new password as PHC text, with a random salt.
    pub async fn hash(&self, password: Password) -> Result<String, HashRefused> {
        self.run(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| HashRefused::Failed)
        })
        .await?
    }

    /// Whether the password matches. Without a hash the answer is no, after the same amount of work.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, HashRefused> {
        self.run(move || {
            let exists = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let parsed = PasswordHash::new(&hash).map_err(|_| HashRefused::Failed)?;
            let matches = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(matches && exists)
        })
        .await?
    }

    /// Holds the only core of a pool: whoever has work for it waits.
    #[cfg(test)]
    pub(crate) async fn occupied(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.cores).acquire_owned().await.expect("the semaphore is never closed")
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashRefused> {
        let waiting = self.queued.fetch_add(1, Ordering::Relaxed);
        let queued = Queued(Arc::clone(&self.queued));
        if waiting >= QUEUE_MAX {
            return Err(HashRefused::Busy);
        }
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| HashRefused::Failed)?;
        drop(queued);
        // The permit goes into the work: a caller that gives up does not make room for another core's worth.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(core);
            result
        });
        done.await.map_err(|_| HashRefused::Failed)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::presented(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let pool = HashPool::new(2);
        let hash = pool.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(pool.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!pool.verify(password("correct horse!"), Some(hash)).await.unwrap());
        assert!(!pool.verify(password("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn r04_a_storm_of_sign_ins_is_refused_beyond_the_queue() {
        let pool = HashPool::new(1);
        let held = Arc::clone(&pool.cores).acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..QUEUE_MAX)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.run(|| ()).await })
            })
            .collect();
        while pool.queued.load(Ordering::Relaxed) < QUEUE_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.run(|| ()).await, Err(HashRefused::Busy));
        drop(held);
        for task in waiting {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(pool.run(|| ()).await, Ok(()), "the queue is empty again");
    }

    #[tokio::test]
    async fn a09_an_unknown_user_costs_exactly_what_a_known_one_does() {
        let hash = HashPool::new(1).hash(password("correct horse")).await.unwrap();
        let (known, nobody) = (PasswordHash::new(&hash).unwrap(), PasswordHash::new(NOBODY).unwrap());
        assert_eq!((known.algorithm, known.version), (nobody.algorithm, nobody.version));
        assert_eq!(known.params.to_string(), nobody.params.to_string(), "memory, passes, lanes");
        let lengths = |hash: &PasswordHash| {
            (hash.salt.map(|salt| salt.as_ref().len()), hash.hash.map(|hash| hash.as_bytes().len()))
        };
        assert_eq!((lengths(&known).1, lengths(&nobody).1), (Some(32), Some(32)));
        assert!(lengths(&nobody).0.is_some_and(|salt| salt >= 8), "a salt that argon2 takes");
        // And the work is done: a hash that argon2 refuses at once would be an error, not a no.
        let verified = Argon2::default().verify_password(b"wrong", &nobody);
        assert_eq!(verified, Err(argon2::password_hash::Error::PasswordInvalid));
    }
}
