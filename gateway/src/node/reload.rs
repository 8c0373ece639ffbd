//! SIGHUP: the configuration is read again, and what can change while the node runs changes. A mistake changes nothing.

use super::start::Node;
use crate::{command::Settings, config::Difference, telemetry::RunningLog};

impl Node {
    /// Reads configuration and certificate again.
    pub(super) fn reload(&mut self, settings: &Settings, log: &RunningLog) {
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
        if let Err(error) = self.presented.renew_as(&next) {
            return tracing::error!(error = %error, "the certificate is not usable: nothing changed");
        }
        let difference = Difference::between(&self.config, &next);
        self.config.adopt(&next);
        self.tunable.adopt(&self.config);
        if let Err(error) = log.set_level(&self.config.log.level) {
            tracing::error!(error = %error, "log.level could not be changed");
        }
        tell(&difference);
    }
}

fn tell(difference: &Difference) {
    tracing::info!(changed = difference.at_once.join(", "), "configuration and certificate read again");
    if !difference.after_restart.is_empty() {
        let waiting = difference.after_restart.join(", ");
        tracing::warn!(settings = waiting, "these settings change with the next start only");
    }
}
