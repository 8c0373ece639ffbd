//! The command line.

use crate::{
    config::{self, Config, Mistakes},
    exit::Failure,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "Exit codes: 0 stopped as asked, 64 wrong usage, 69 something needed is not there, 70 a mistake of ours, \
75 try again later, 77 a right is lacking, 78 configuration mistake.";

/// The public server of Postern: connectors dial in, people come in, and nothing passes that policy does not allow.
#[derive(Debug, Parser)]
#[command(name = "postern-gateway", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Serve until SIGTERM; SIGHUP reads certificates and configuration again.
    Serve(Settings),
    /// Read the configuration and report every mistake (exit 78 if there is one).
    CheckConfig {
        /// Where the configuration comes from.
        #[command(flatten)]
        settings: Settings,
        /// List every setting that exists, and exit.
        #[arg(long)]
        keys: bool,
    },
    /// Bring the store to this version's schema, and exit.
    Migrate(Settings),
    /// Print the version.
    Version,
}

/// Where the configuration comes from: the file, then POSTERN_… variables, then these flags; the last one wins.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// The TOML file.
    #[arg(long, short, value_name = "FILE", env = "POSTERN_CONFIG")]
    pub config: Option<PathBuf>,
    /// The https URL that people and connectors use.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The directory of everything that this node keeps.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<String>,
    /// The address of the public listener.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The address of /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS")]
    pub internal: Option<String>,
    /// Any other setting, such as --set limits.opens_burst=800.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
}

impl Settings {
    /// The configuration that these settings, their file and the environment make.
    pub fn load(&self) -> Result<Config, Mistakes> {
        let named = [
            ("--public-url", "public_url", self.public_url.as_deref()),
            ("--state-dir", "state_dir", self.state_dir.as_deref()),
            ("--listen", "listen.address", self.listen.as_deref()),
            ("--internal", "internal.address", self.internal.as_deref()),
        ];
        let mut flags: Vec<(&str, &str, &str)> =
            named.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value?))).collect();
        flags.extend(self.set.iter().map(|(key, value)| ("--set", key.as_str(), value.as_str())));
        Config::load(self.config.as_deref(), std::env::vars(), &flags)
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as limits.opens_burst=800")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads the configuration, or fails with every mistake that it has.
pub fn load(settings: &Settings) -> Result<Config, Failure> {
    settings.load().map_err(|mistakes| Failure::Config(mistakes.to_string()))
}

/// Every setting with its line of help.
pub fn keys() -> String {
    config::KEYS.iter().map(|(key, help)| format!("{key:32} {help}\n")).collect()
}
