//! What a node needs to boot, and nothing else; parsed once at the door, with every mistake reported at once.

mod apps;
mod certificates;
mod difference;
mod files;
mod mistake;
mod parse;
mod reader;
mod settings;
#[cfg(test)]
mod tests;
mod urls;
mod warnings;

pub use apps::is_within;
pub use difference::Difference;
pub use files::prepare_state_dir;
pub use mistake::{Mistake, Mistakes, Origin};
pub use settings::{KEYS, Settings};

use ipnet::IpNet;
use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// A configuration in which every value was checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The https URL that people and connectors use; its port is 0 when the listener's is to be taken.
    pub public_url: Url,
    /// Where commands and connectors dial, in this order: one address for each gateway of the installation. Empty where the
    /// public URL is the only one.
    pub gateways: Vec<Url>,
    /// The domain whose names are those of applications, canonical; without it only applications with hosts of their own
    /// are published.
    pub apps_domain: Option<String>,
    /// The directory of everything this node keeps.
    pub state_dir: PathBuf,
    /// The file of the key that seals secrets, if it is not the one in the state directory.
    pub master_key_file: Option<PathBuf>,
    /// The files of the keys before it, while it is changed.
    pub previous_master_key_files: Vec<PathBuf>,
    /// The public listener.
    pub listen: Listen,
    /// The address of the internal listener.
    pub internal: SocketAddr,
    /// Certificates from files; the first is for those who ask for no name that one of them covers. Without any the gateway
    /// is its own certificate authority.
    pub certificates: Vec<CertificateFiles>,
    /// The store.
    pub store: StoreUrl,
    /// How log lines look and which are written.
    pub log: Log,
    /// The limits.
    pub limits: Limits,
}

/// The public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// What arrives there.
    pub mode: Mode,
}

/// What arrives at the public listener, and whose word about the client's address is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// TLS from the clients themselves.
    Tls,
    /// TLS after a PROXY protocol version 2 header from one of these networks.
    TlsProxyV2(Vec<IpNet>),
    /// Plain HTTP from proxies in these networks, which ended TLS and say `X-Forwarded-For`.
    HttpBehindProxy(Vec<IpNet>),
}

/// A certificate chain and its key, as files that are read again on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM, leaf first.
    pub chain: PathBuf,
    /// PEM, PKCS#8 or SEC1.
    pub key: PathBuf,
}

/// Which store to open.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store: one file in the state directory.
    Sqlite,
    /// A Postgres server.
    Postgres(String),
}

// The URL of a Postgres holds a password.
impl std::fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::Postgres(_) => "Postgres(…)",
        })
    }
}

/// How log lines look and which are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines of JSON, or text for a terminal.
    pub format: LogFormat,
    /// The filter.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// One sentence a line.
    Text,
}

/// The numbers that bound what peers may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections in total; beyond it new ones are closed at once.
    pub connections: NonZeroU32,
    /// Open connections of one client address (/64 for IPv6).
    pub connections_per_ip: NonZeroU32,
    /// Connections a second of one client address.
    pub connection_rate_per_ip: NonZeroU32,
    /// Connections at once of one client address, before the rate counts.
    pub connection_burst_per_ip: NonZeroU32,
    /// Live sessions of one principal.
    pub sessions_per_principal: NonZeroU32,
    /// Opens a second of one principal.
    pub opens_per_second: NonZeroU32,
    /// Opens at once of one principal, before the rate counts.
    pub opens_burst: NonZeroU32,
    /// Time that sessions get to finish after SIGTERM.
    pub drain: Duration,
}

impl Config {
    /// Parses the settings of a file, the environment and flags; flags win over the environment, it wins over the file.
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, &str, &str)],
    ) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let mut settings = Settings::default();
        let is_read = file.is_none_or(|path| read_file(path, &mut settings, &mut mistakes));
        settings.read_env(env, &mut mistakes);
        for (flag, key, value) in flags {
            settings.read_flag(flag, key, value, &mut mistakes);
        }
        let config = parse::config(&settings, mistakes);
        if is_read { config } else { config.map_err(Mistakes::in_what_was_given) }
    }

    /// The file of the master key.
    pub fn master_key_path(&self) -> PathBuf {
        self.master_key_file.clone().unwrap_or_else(|| self.state_dir.join("master.key"))
    }
}

/// Reads the settings of a file; says whether it could be read.
fn read_file(path: &Path, settings: &mut Settings, mistakes: &mut Vec<Mistake>) -> bool {
    let text = std::fs::read_to_string(path);
    let is_read = text.is_ok();
    match text {
        Ok(text) => settings.read_toml(path, &text, mistakes),
        Err(error) => mistakes.push(Mistake::new(
            Origin::File { path: path.to_owned(), line: 1 },
            format!("the configuration cannot be read: {error}"),
            "give the path with --config or POSTERN_CONFIG",
        )),
    }
    // Only what the file itself holds counts: a password from the environment is not in it.
    let holds_secret =
        settings.entry("store.url").is_some_and(|e| e.items.iter().any(|url| url.contains('@')));
    if path.exists()
        && let Err(mistake) = files::check_config_file(path, holds_secret)
    {
        mistakes.push(mistake);
    }
    is_read
}
