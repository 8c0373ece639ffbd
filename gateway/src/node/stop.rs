//! The graceful end: no new work, time to finish, then a loud end for what is left, recorded.

use super::start::Node;
use crate::policies::end_sessions;
use postern_ids::Ended;
use postern_policy::live::Filter;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often the drain looks whether everything is over.
const LOOK: Duration = Duration::from_millis(20);
/// The time that cut sessions get to record their end, and tasks to go.
const LAST_CALL: Duration = Duration::from_secs(3);

impl Node {
    /// Takes no new work from here on: readiness fails, the listener closes, peers are told to go elsewhere.
    pub fn begin_stop(&self) {
        tracing::info!(sessions = self.present.live.len(), "draining");
        self.lifecycle.stop();
        let (code, hint) = (Ended::GatewayStopped.code(), "the gateway is restarting");
        self.clients.go_away(code, hint);
        self.present.connectors.go_away(code, hint);
        // Resumable sessions are carried elsewhere within a second; nothing of them ends here.
        self.present.held.close();
    }

    /// Gives sessions time to finish, ends those that did not, and goes. Whether everything went in time.
    pub async fn finish_stop(self, patience: Duration) -> bool {
        self.wait_until_let_go(patience).await;
        let left =
            end_sessions(&self.present.live, &Filter::All, Ended::GatewayStopped, &self.present.journal);
        if left > 0 {
            tracing::warn!(sessions = left, "sessions did not finish in time and were ended");
        }
        self.wait_until_let_go(LAST_CALL).await;
        self.close_links().await;
        let all_gone = self.lifecycle.kill(LAST_CALL).await;
        self.present.journal.close();
        tracing::info!("stopped");
        all_gone
    }

    /// Stops with the configured patience.
    pub async fn stop(self) -> bool {
        self.begin_stop();
        let patience = self.config.limits.drain;
        self.finish_stop(patience).await
    }

    /// A cut session has left the table at once; its task still has to stop the bytes and record the end.
    async fn wait_until_let_go(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.door.carried() > 0 && Instant::now() < until {
            sleep(LOOK).await;
        }
    }

    /// Says good-bye on every link, so that peers know at once and why.
    async fn close_links(&self) {
        let (code, reason) = (Ended::GatewayStopped.code(), "the gateway has stopped");
        self.present.connectors.close(code, reason);
        self.clients.close(code, reason);
        let until = Instant::now() + LAST_CALL;
        while !(self.clients.is_empty() && self.present.connectors.online().is_empty())
            && Instant::now() < until
        {
            sleep(LOOK).await;
        }
    }
}
