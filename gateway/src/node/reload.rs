//! SIGHUP: the configuration is read again, and what can change while the node runs changes. A mistake changes nothing.

use super::start::Node;
use crate::{
    command::Settings,
    config::{Config, Difference},
    exit::chain,
    telemetry::RunningLog,
};
use postern_store::{OpenError, ProvenKeys};

impl Node {
    /// Reads configuration, certificate and master keys again.
    pub(super) async fn reload(&mut self, settings: &Settings, log: &RunningLog) {
        let next = match settings.load() {
            Ok(next) => next,
            Err(mistakes) => {
                tracing::error!(
                    mistakes = mistakes.0.len(),
                    "the configuration has mistakes: nothing changed"
                );
                // A line each: a field of the log is cut when it is long.
                for mistake in &mistakes.0 {
                    tracing::error!(at = %mistake.at, hint = mistake.hint, "{}", mistake.what);
                }
                return;
            }
        };
        let keys = match self.prove_master_keys(&next).await {
            Ok(keys) => keys,
            Err(error) => {
                return tracing::error!(
                    error = chain(&error),
                    "the master keys are not usable: nothing changed"
                );
            }
        };
        if let Err(error) = self.presented.renew_as(&next) {
            return tracing::error!(error = %error, "the certificate is not usable: nothing changed");
        }
        self.store.take_master_keys(keys);
        let difference = Difference::between(&self.config, &next);
        self.config.adopt(&next);
        self.tunable.adopt(&self.config);
        if let Err(error) = log.set_level(&self.config.log.level) {
            tracing::error!(error = %error, "log.level could not be changed");
        }
        tell(&difference);
    }

    async fn prove_master_keys(&self, next: &Config) -> Result<ProvenKeys, OpenError> {
        // The key of the embedded store lies where this process keeps its state.
        let next = Config { state_dir: self.config.state_dir.clone(), ..next.clone() };
        self.store.prove_master_keys(&next.master_key_path(), &next.previous_master_key_files).await
    }
}

fn tell(difference: &Difference) {
    tracing::info!(changed = difference.at_once.join(", "), "configuration and certificate read again");
    if !difference.after_restart.is_empty() {
        let waiting = difference.after_restart.join(", ");
        tracing::warn!(settings = waiting, "these settings change with the next start only");
    }
}
