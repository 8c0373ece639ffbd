//! What differs between the configuration in force and one that was read again: what can change while the node runs, and
//! what waits for the next start.

use super::{Config, Limits, Mode};
use std::mem::discriminant;

/// Settings whose values differ, by their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// They take effect at once.
    pub at_once: Vec<&'static str>,
    /// They take effect with the next start.
    pub after_restart: Vec<&'static str>,
}

impl Difference {
    /// From the configuration in force to `next`.
    pub fn between(now: &Config, next: &Config) -> Self {
        // Taken apart, so that a setting that is added has to find its place here.
        let Config {
            public_url,
            gateways,
            apps_domain,
            state_dir,
            master_key_file,
            previous_master_key_files,
            listen,
            internal,
            certificates,
            store,
            log,
            limits,
        } = now;
        let mut found = Self::default();
        found.after_restart("public_url", *public_url != next.public_url);
        // They are in the certificate, and in what was told to commands and connectors.
        found.after_restart("gateways", *gateways != next.gateways);
        // Sign-ins and certificates are bound to the names below it.
        found.after_restart("apps_domain", *apps_domain != next.apps_domain);
        found.after_restart("state_dir", *state_dir != next.state_dir);
        found.at_once("master_key_file", *master_key_file != next.master_key_file);
        let previous = *previous_master_key_files != next.previous_master_key_files;
        found.at_once("previous_master_key_files", previous);
        found.after_restart("listen.address", listen.address != next.listen.address);
        match is_same_kind(&listen.mode, &next.listen.mode) {
            true => found.at_once("listen.trusted_proxies", listen.mode != next.listen.mode),
            false => found.after_restart("listen.mode", true),
        }
        found.after_restart("internal.address", *internal != next.internal);
        // Clients and connectors pinned whether the gateway is its own authority.
        match certificates.is_empty() == next.certificates.is_empty() {
            true => found.at_once("tls.certificate", *certificates != next.certificates),
            false => found.after_restart("tls.certificate", true),
        }
        found.after_restart("store.url", *store != next.store);
        found.after_restart("log.format", log.format != next.log.format);
        found.at_once("log.level", log.level != next.log.level);
        found.limits(limits, &next.limits);
        found
    }

    fn limits(&mut self, now: &Limits, next: &Limits) {
        let Limits {
            connections,
            connections_per_ip,
            connection_rate_per_ip,
            connection_burst_per_ip,
            sessions_per_principal,
            opens_per_second,
            opens_burst,
            drain,
        } = *now;
        self.at_once("limits.connections", connections != next.connections);
        self.at_once("limits.connections_per_ip", connections_per_ip != next.connections_per_ip);
        self.at_once("limits.connection_rate_per_ip", connection_rate_per_ip != next.connection_rate_per_ip);
        self.at_once(
            "limits.connection_burst_per_ip",
            connection_burst_per_ip != next.connection_burst_per_ip,
        );
        self.at_once("limits.sessions_per_principal", sessions_per_principal != next.sessions_per_principal);
        self.at_once("limits.opens_per_second", opens_per_second != next.opens_per_second);
        self.at_once("limits.opens_burst", opens_burst != next.opens_burst);
        self.at_once("limits.drain_seconds", drain != next.drain);
    }

    fn at_once(&mut self, key: &'static str, differs: bool) {
        if differs {
            self.at_once.push(key);
        }
    }

    fn after_restart(&mut self, key: &'static str, differs: bool) {
        if differs {
            self.after_restart.push(key);
        }
    }
}

impl Config {
    /// Takes from `next` what [`Difference::at_once`] names.
    pub fn adopt(&mut self, next: &Self) {
        if is_same_kind(&self.listen.mode, &next.listen.mode) {
            self.listen.mode = next.listen.mode.clone();
        }
        if self.certificates.is_empty() == next.certificates.is_empty() {
            self.certificates.clone_from(&next.certificates);
        }
        self.master_key_file.clone_from(&next.master_key_file);
        self.previous_master_key_files.clone_from(&next.previous_master_key_files);
        self.log.level.clone_from(&next.log.level);
        self.limits = next.limits;
    }
}

fn is_same_kind(a: &Mode, b: &Mode) -> bool {
    discriminant(a) == discriminant(b)
}
