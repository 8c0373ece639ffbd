//! The raw settings: text by dotted key, each with its origin, from the file, then the environment, then the flags.

use super::mistake::{Mistake, Origin};
use std::{collections::BTreeMap, path::Path};
use toml::de::{DeTable, DeValue};

/// Every setting that exists, with one line of help. A key that is not listed here is a mistake.
pub const KEYS: &[(&str, &str)] = &[
    ("public_url", "the https URL that people and connectors use"),
    ("gateways", "https URLs of all gateways of the installation, for commands and connectors"),
    ("apps_domain", "the domain whose names are those of applications"),
    ("state_dir", "directory of the journal, the embedded store and the master key"),
    ("master_key_file", "file of the key that seals secrets in the store"),
    ("previous_master_key_files", "files of the keys before it, while it is changed"),
    ("listen.address", "address and port of the public listener"),
    ("listen.mode", "tls, tls_proxy_v2 or http_behind_proxy"),
    ("listen.trusted_proxies", "networks whose word about the client's address is believed"),
    ("internal.address", "address and port of /healthz, /readyz and /metrics"),
    ("tls.certificate", "PEM file of the certificate chain, or a list of them"),
    ("tls.key", "PEM file of the private key, or a list in the same order"),
    ("store.url", "sqlite, or postgres://user:password@host/database"),
    ("log.format", "auto, json or text"),
    ("log.level", "a filter such as info or postern_gateway=debug"),
    ("limits.connections", "open connections in total"),
    ("limits.connections_per_ip", "open connections of one client address"),
    ("limits.connection_rate_per_ip", "connections a second of one client address"),
    ("limits.connection_burst_per_ip", "connections at once of one client address"),
    ("limits.sessions_per_principal", "live sessions of one principal"),
    ("limits.opens_per_second", "session opens a second of one principal"),
    ("limits.opens_burst", "session opens at once of one principal"),
    ("limits.drain_seconds", "time that sessions get to finish after SIGTERM"),
];

const ENV_PREFIX: &str = "POSTERN_";

/// Variables of the same prefix that belong to the other programs and to the tests.
const ENV_OF_OTHERS: &[&str] = &[
    "POSTERN_ALLOW",
    "POSTERN_BENCH",
    "POSTERN_BIN_DIR",
    "POSTERN_CA_FILE",
    "POSTERN_CA_SHA256",
    "POSTERN_CONFIG",
    "POSTERN_DEMO",
    "POSTERN_GATEWAY",
    "POSTERN_HOME",
    "POSTERN_LOG",
    "POSTERN_NAME",
    "POSTERN_TEST",
    "POSTERN_TOKEN",
];

/// The value of a setting as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// One item for a scalar, any number for a list.
    pub items: Vec<String>,
    /// Where it was written.
    pub at: Origin,
}

/// All settings that were given, later sources over earlier ones.
#[derive(Debug, Default)]
pub struct Settings {
    entries: BTreeMap<&'static str, Entry>,
}

impl Settings {
    /// Takes the settings of a TOML file.
    pub fn read_toml(&mut self, path: &Path, text: &str, mistakes: &mut Vec<Mistake>) {
        let line_of = |span: Option<std::ops::Range<usize>>| Origin::File {
            path: path.to_owned(),
            line: line_at(text, span.map_or(0, |s| s.start)),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            mistakes.push(Mistake::new(
                line_of(error.span()),
                error.message(),
                "see https://toml.io for the syntax",
            ));
        }
        self.read_table("", table.get_ref(), &line_of, mistakes);
    }

    fn read_table(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        line_of: &dyn Fn(Option<std::ops::Range<usize>>) -> Origin,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            let at = line_of(Some(key.span()));
            let section = format!("{path}.");
            if let DeValue::Table(inner) = value.get_ref()
                && KEYS.iter().any(|(known, _)| known.starts_with(&section))
            {
                self.read_table(&section, inner, line_of, mistakes);
                continue;
            }
            match items_of(value.get_ref()) {
                Some(items) => self.put(&path, items, at, mistakes),
                None if known(&path).is_some() => mistakes.push(Mistake::new(
                    at,
                    format!("{path} has a value of the wrong type"),
                    "write a string, a number, or a list of strings",
                )),
                None => mistakes.push(unknown(&path, at)),
            }
        }
    }

    /// Takes the settings among environment variables: `POSTERN_PUBLIC_URL`, `POSTERN_LISTEN__ADDRESS`.
    pub fn read_env(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(ENV_PREFIX) else { continue };
            let path = rest.to_ascii_lowercase().replace("__", ".");
            if known(&path).is_none() && ENV_OF_OTHERS.iter().any(|other| name.starts_with(other)) {
                continue;
            }
            self.put(&path, vec![value], Origin::Environment(name), mistakes);
        }
    }

    /// Takes one setting of the command line.
    pub fn read_flag(&mut self, flag: &str, path: &str, value: &str, mistakes: &mut Vec<Mistake>) {
        self.put(path, vec![value.to_owned()], Origin::Flag(flag.to_owned()), mistakes);
    }

    fn put(&mut self, path: &str, items: Vec<String>, at: Origin, mistakes: &mut Vec<Mistake>) {
        match known(path) {
            Some(key) => {
                self.entries.insert(key, Entry { items, at });
            }
            None => mistakes.push(unknown(path, at)),
        }
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }
}

fn known(path: &str) -> Option<&'static str> {
    KEYS.iter().map(|(key, _)| *key).find(|key| *key == path)
}

fn unknown(path: &str, at: Origin) -> Mistake {
    let nearest = KEYS.iter().map(|(key, _)| *key).min_by_key(|key| distance(key, path));
    let hint = match nearest {
        Some(key) if distance(key, path) <= 3 => format!("did you mean {key}?"),
        _ => "`postern-gateway check-config --keys` lists every setting".to_owned(),
    };
    Mistake::new(at, format!("unknown setting {path}"), hint)
}

fn items_of(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => scalar(value).map(|item| vec![item]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The edit distance of two keys, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
