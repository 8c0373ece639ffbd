//! Tokens of a command that runs for long.

use super::refresh_early;
use crate::home::{Home, Profile};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle, time};

/// How often the tokens' age is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// How long the end of a command waits for a refresh: its answer has the only token that gets the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps the tokens fresh, in a task of the current runtime.
#[derive(Debug)]
pub struct Keeper {
    /// Held during a refresh.
    busy: Arc<Mutex<()>>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Looks at once, and every minute from then on.
    pub fn start(home: Home, profile: Profile) -> Self {
        let busy = Arc::<Mutex<()>>::default();
        let holding = busy.clone();
        let task = tokio::spawn(async move {
            loop {
                let held = holding.lock().await;
                refresh_early(home.clone(), profile.clone()).await;
                drop(held);
                time::sleep(LOOK).await;
            }
        });
        Self { busy, task }
    }

    /// Stops between two refreshes, if that is soon.
    pub async fn stop(&self) {
        let _idle = time::timeout(PATIENCE, self.busy.lock()).await;
        self.task.abort();
    }
}
