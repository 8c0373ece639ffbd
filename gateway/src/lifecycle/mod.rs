//! A node's life: which tasks it has, and the two ways to ask them to stop.

mod signals;

pub use signals::{Asked, Signals};

use std::{convert::Infallible, future::Future, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Every task of the node belongs to it, hears [`Lifecycle::stopping`] and dies by [`Lifecycle::kill`].
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    hard: CancellationToken,
    soft: CancellationToken,
    failed: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// A life that has just begun.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self { soft: hard.child_token(), hard, failed: CancellationToken::new(), tasks: TaskTracker::new() }
    }

    /// Starts a task that the node waits for at its end and that is dropped when the node is killed.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = hard.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Starts a task that the node cannot live without: if it breaks, the node has failed.
    pub fn maintain<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Infallible> + Send + 'static,
    {
        let (hard, failed) = (self.hard.clone(), self.failed.clone());
        let running = self.tasks.spawn(async move {
            tokio::select! {
                () = hard.cancelled() => {}
                never = task => match never {},
            }
        });
        self.tasks.spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(task = name, error = %error, "a task that the node cannot live without broke");
                failed.cancel();
            }
        });
    }

    /// Completes when the node has failed.
    pub async fn failing(&self) {
        self.failed.cancelled().await;
    }

    /// Whether the node has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// The token that ends what is not a task of ours but takes one.
    pub fn hard_token(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Completes when the node is asked to stop taking new work.
    pub async fn stopping(&self) {
        self.soft.cancelled().await;
    }

    /// Whether the node was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Asks all tasks to finish what they have.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Drops all tasks and waits for them, but no longer than `patience`. Whether all were gone by then.
    pub async fn kill(&self, patience: Duration) -> bool {
        self.hard.cancel();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::panic, reason = "the panic is the case")]
    async fn a_maintenance_task_that_panics_fails_the_node() {
        let life = Lifecycle::new();
        life.maintain("broken", async { panic!("a mistake of ours") });
        life.failing().await;
    }

    #[tokio::test]
    async fn a_kill_ends_tasks_that_do_not_listen() {
        let life = Lifecycle::new();
        life.spawn(std::future::pending());
        assert!(!life.is_stopping());
        assert!(life.kill(Duration::from_secs(5)).await);
        assert!(life.is_stopping(), "a killed node takes no new work");
    }
}
