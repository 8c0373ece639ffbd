//! The command line of `postern-connector`.

use crate::allow::Entry;
use clap::{Args, Parser, Subcommand};
use postern_ids::Name;
use std::path::PathBuf;

/// The agent of a Postern gateway inside a private network: it dials out, and connects what its allow-list admits.
#[derive(Debug, Parser)]
#[command(
    name = "postern-connector",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 stopped as asked, 64 wrong usage, 75 try again later, 77 refused for good, 78 configuration mistake."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where key, identity and status live [default: /var/lib/postern-connector, or the XDG state directory]
    #[arg(long, global = true, env = "POSTERN_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// TOML file with state_dir, token_file, allow, ca_files, gateways and limits
    #[arg(long, global = true, env = "POSTERN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register this connector with its gateway, once
    ///
    /// Makes a key pair whose private half never leaves this machine, hands the public half to the gateway, and pins
    /// the gateway's keys. Needs an enrolment token: `postern tokens create --site SITE --out FILE`.
    Enroll(Enroll),
    /// Connect to the gateway and serve until stopped
    ///
    /// Enrolls by itself if there is no identity yet and a token is given: for containers.
    Run(Run),
    /// Show the links, the last failure, and whether the clock is off
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where an enrolment token comes from; never the command line itself, which other accounts can read.
#[derive(Debug, Args)]
pub struct TokenSource {
    /// File with the enrolment token; `-` reads standard input [or the token itself in POSTERN_TOKEN]
    #[arg(long, env = "POSTERN_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Arguments of `enroll`.
#[derive(Debug, Args)]
pub struct Enroll {
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
    /// Admit a target: NETWORK:PORT or NAME:PORT, `*` for every port; kept in the state directory. May be repeated
    ///
    /// Examples: 10.0.0.0/8:*, db.internal:5432, 127.0.0.1:22, [::1]:22
    #[arg(long, value_name = "TARGET")]
    pub allow: Vec<Entry>,
    /// Name to register under [default: the gateway makes one up]
    #[arg(long, env = "POSTERN_NAME", value_name = "NAME")]
    pub name: Option<Name>,
    /// Certificate authority of the gateway (or of a TLS-inspecting proxy), in PEM
    #[arg(long = "ca-file", env = "POSTERN_CA_FILE", value_name = "FILE")]
    pub ca_files: Vec<PathBuf>,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenSource,
    /// Admit a target: NETWORK:PORT or NAME:PORT, `*` for every port. May be repeated
    ///
    /// Examples: 10.0.0.0/8:*, db.internal:5432, 127.0.0.1:22, [::1]:22
    #[arg(long, env = "POSTERN_ALLOW", value_delimiter = ',', value_name = "TARGET")]
    pub allow: Vec<Entry>,
    /// Certificate authority of the gateway (or of a TLS-inspecting proxy), in PEM
    #[arg(long = "ca-file", env = "POSTERN_CA_FILE", value_name = "FILE")]
    pub ca_files: Vec<PathBuf>,
    /// Name to register under, when it enrolls by itself [default: the gateway makes one up]
    #[arg(long, env = "POSTERN_NAME", value_name = "NAME")]
    pub name: Option<Name>,
}
