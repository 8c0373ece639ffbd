//! The environment: a variable with a slip in its name must not become a setting that silently does not count (L6).

use crate::config::ConfigError;

const PREFIX: &str = "POSTERN_";

/// The variables that count.
const OURS: [&str; 8] = [
    "POSTERN_ALLOW",
    "POSTERN_CA_FILE",
    "POSTERN_CONFIG",
    "POSTERN_LOG",
    "POSTERN_NAME",
    "POSTERN_STATE_DIR",
    "POSTERN_TOKEN",
    "POSTERN_TOKEN_FILE",
];

/// How variables begin that belong to the other programs, to tests, or to Kubernetes beside a service named `postern`.
const OF_OTHERS: [&str; 15] = [
    "POSTERN_APPS_DOMAIN",
    "POSTERN_BENCH",
    "POSTERN_BIN_DIR",
    "POSTERN_CA_SHA256",
    "POSTERN_DEMO",
    "POSTERN_GATEWAY",
    "POSTERN_HOME",
    "POSTERN_MASTER_KEY_FILE",
    "POSTERN_PORT",
    "POSTERN_PREVIOUS_MASTER_KEY_FILES",
    "POSTERN_PUBLIC_URL",
    "POSTERN_RESUME",
    "POSTERN_SEED",
    "POSTERN_SERVICE_",
    "POSTERN_TEST",
];

/// Refuses variables with our prefix that nobody reads.
pub fn check(names: impl IntoIterator<Item = String>) -> Result<(), ConfigError> {
    let unknown: Vec<String> = names.into_iter().filter(|name| is_unknown(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Environment { unknown: unknown.join(", "), known: OURS.join(", ") })
}

fn is_unknown(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    // Settings of the gateway have sections: POSTERN_LISTEN__ADDRESS.
    let is_of_others = rest.contains("__") || OF_OTHERS.iter().any(|other| name.starts_with(other));
    !OURS.contains(&name) && !is_of_others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l06_a_slip_in_a_variable_is_told_and_what_others_read_is_left_alone() {
        let check = |names: &[&str]| check(names.iter().map(|&name| name.to_owned()));
        assert!(check(&OURS).is_ok());
        assert!(
            check(&["HOME", "POSTERN_LISTEN__ADDRESS", "POSTERN_GATEWAYS", "POSTERN_PORT_443_TCP"]).is_ok()
        );
        for slip in ["POSTERN_ALOW", "POSTERN_ALLOWS", "POSTERN_TOKENFILE", "POSTERN_"] {
            let error = check(&["POSTERN_ALLOW", slip]).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(slip)), "{slip}: {error:?}");
        }
    }
}
