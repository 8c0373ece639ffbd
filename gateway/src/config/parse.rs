//! Settings become a `Config`, or a list of everything that is wrong with them.

use super::{
    Config, Limits, Listen, Log, LogFormat, Mistake, Mistakes, Mode, Origin, Settings, StoreUrl, files,
    reader::Reader,
};
use ipnet::IpNet;
use std::{path::PathBuf, time::Duration};

const STATE_DIR: &str = "/var/lib/postern";
const LISTEN: &str = "[::]:443";
const INTERNAL: &str = "127.0.0.1:9402";

pub(super) fn config(settings: &Settings, mistakes: Vec<Mistake>) -> Result<Config, Mistakes> {
    let mut reader = Reader { settings, mistakes };
    let public_url = reader.public_url();
    let gateways = reader.gateways();
    let consoles: Vec<_> = public_url.iter().chain(&gateways).collect();
    let apps_domain = reader.apps_domain(&consoles);
    let state_dir = reader.path("state_dir").unwrap_or_else(|| STATE_DIR.into());
    let mode = reader.mode();
    let certificates = reader.certificates(&mode);
    let store = reader.store();
    let master_key_file = reader.master_key_file(&store);
    let previous_master_key_files = reader.previous_master_key_files();
    let address = reader.parsed("listen.address", LISTEN, "write an address and a port, such as [::]:443");
    let internal =
        reader.parsed("internal.address", INTERNAL, "write an address and a port, such as 127.0.0.1:9402");
    let log = reader.log();
    let limits = reader.limits();
    let at_fault = !reader.mistakes.is_empty();
    match (public_url, address, internal, mode, store, limits) {
        (Some(public_url), Some(address), Some(internal), Some(mode), Some(store), Some(limits))
            if !at_fault =>
        {
            let listen = Listen { address, mode };
            Ok(Config {
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
            })
        }
        _ => Err(Mistakes::in_order(reader.mistakes)),
    }
}

impl Reader<'_> {
    fn mode(&mut self) -> Option<Mode> {
        let proxies = self.trusted_proxies();
        let name = self.text("listen.mode").unwrap_or_else(|| "tls".to_owned());
        let given = proxies.as_ref().is_none_or(|proxies| !proxies.is_empty());
        match (name.as_str(), proxies) {
            ("tls", _) if given => {
                let at = self.at("listen.trusted_proxies");
                self.wrong(
                    at,
                    "listen.trusted_proxies has no effect in mode tls",
                    "remove it, or choose another mode",
                );
                None
            }
            ("tls", _) => Some(Mode::Tls),
            ("tls_proxy_v2" | "http_behind_proxy", _) if !given => {
                self.wrong(
                    self.at("listen.mode"),
                    format!("listen.mode = {name:?} needs listen.trusted_proxies"),
                    "list the networks of your proxies, such as [\"10.0.0.0/8\"]",
                );
                None
            }
            ("tls_proxy_v2", Some(proxies)) => Some(Mode::TlsProxyV2(proxies)),
            ("http_behind_proxy", Some(proxies)) => Some(Mode::HttpBehindProxy(proxies)),
            ("tls_proxy_v2" | "http_behind_proxy", None) => None,
            (other, _) => {
                let what = format!("listen.mode = {other:?} is unknown");
                self.wrong(self.at("listen.mode"), what, "use tls, tls_proxy_v2 or http_behind_proxy");
                None
            }
        }
    }

    fn trusted_proxies(&mut self) -> Option<Vec<IpNet>> {
        let Some(entry) = self.settings.entry("listen.trusted_proxies") else { return Some(Vec::new()) };
        let at = entry.at.clone();
        let words: Vec<String> =
            entry.items.iter().flat_map(|item| item.split(',')).map(|w| w.trim().to_owned()).collect();
        let mut networks = Vec::new();
        let mut all_good = true;
        for word in words.iter().filter(|word| !word.is_empty()) {
            match word.parse::<IpNet>().or_else(|_| word.parse::<std::net::IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(error) => {
                    all_good = false;
                    let what = format!("listen.trusted_proxies: {word:?}: {error}");
                    self.wrong(at.clone(), what, "write networks such as \"10.0.0.0/8\"");
                }
            }
        }
        all_good.then_some(networks)
    }

    fn store(&mut self) -> Option<StoreUrl> {
        let text = self.text("store.url").unwrap_or_else(|| "sqlite".to_owned());
        if text == "sqlite" {
            return Some(StoreUrl::Sqlite);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Some(StoreUrl::Postgres(text));
        }
        // The text may hold a password, so it is not repeated.
        self.wrong(
            self.at("store.url"),
            "store.url is neither sqlite nor a Postgres URL",
            "write sqlite or postgres://…",
        );
        None
    }

    fn master_key_file(&mut self, store: &Option<StoreUrl>) -> Option<PathBuf> {
        let path = self.path("master_key_file");
        match (&path, store) {
            (None, Some(StoreUrl::Postgres(_))) => self.wrong(
                Origin::Nowhere,
                "master_key_file is missing",
                "a shared store needs a key file of yours: umask 077; printf 'postern-master-key-v1:%s\\n' \
                \"$(head -c 32 /dev/urandom | basenc --base64url | tr -d =)\" > FILE",
            ),
            (Some(file), _) => {
                if let Err(mistake) =
                    files::check_secret_file(file, "master_key_file", self.at("master_key_file"))
                {
                    self.mistakes.push(mistake);
                }
            }
            (None, _) => {}
        }
        path
    }

    fn previous_master_key_files(&mut self) -> Vec<PathBuf> {
        const KEY: &str = "previous_master_key_files";
        let files = self.paths(KEY);
        for file in &files {
            if let Err(mistake) = files::check_secret_file(file, KEY, self.at(KEY)) {
                self.mistakes.push(mistake);
            }
        }
        files
    }

    fn log(&mut self) -> Log {
        let level = self.text("log.level").unwrap_or_else(|| "info".to_owned());
        if !is_filter(&level) {
            let what = format!("log.level = {level:?} is no filter");
            self.wrong(
                self.at("log.level"),
                what,
                "use error, warn, info, debug or trace, or target=level,…",
            );
        }
        let format = match self.text("log.format").as_deref() {
            None | Some("auto") => LogFormat::Auto,
            Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            Some(other) => {
                self.wrong(
                    self.at("log.format"),
                    format!("log.format = {other:?} is unknown"),
                    "use auto, json or text",
                );
                LogFormat::Auto
            }
        };
        Log { format, level }
    }

    fn limits(&mut self) -> Option<Limits> {
        let mut number = |key: &str, default: &str| self.whole_number(key, default);
        // Each is read before any is required, so that every mistake is told.
        let connections = number("limits.connections", "65536");
        let connections_per_ip = number("limits.connections_per_ip", "1024");
        let connection_rate_per_ip = number("limits.connection_rate_per_ip", "200");
        let connection_burst_per_ip = number("limits.connection_burst_per_ip", "1000");
        let sessions_per_principal = number("limits.sessions_per_principal", "256");
        let opens_per_second = number("limits.opens_per_second", "200");
        let opens_burst = number("limits.opens_burst", "400");
        let drain = number("limits.drain_seconds", "30");
        Some(Limits {
            connections: connections?,
            connections_per_ip: connections_per_ip?,
            connection_rate_per_ip: connection_rate_per_ip?,
            connection_burst_per_ip: connection_burst_per_ip?,
            sessions_per_principal: sessions_per_principal?,
            opens_per_second: opens_per_second?,
            opens_burst: opens_burst?,
            drain: Duration::from_secs(drain?.get().into()),
        })
    }
}

/// A bare word is taken for the name of a target by the filter's own parser, and then nothing is logged.
fn is_filter(text: &str) -> bool {
    let is_level = |word: &str| matches!(word, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let parts = text.split(',').all(|part| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level)));
    parts && tracing_subscriber::EnvFilter::builder().parse(text).is_ok()
}
