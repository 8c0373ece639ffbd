//! The command line of `postern`.

mod access;
mod admin;
mod apps;

pub use access::{Forward, KnownHosts, Login, Mapping, Proxy, Ssh, SshConfig, SshDestination};
pub use admin::{
    AdminCommand, Apply, ConnectorsCommand, Explain, Get, HostKeysCommand, Output, SessionsCommand,
    SessionsLs, TokensCommand, TokensCreate, UsersCommand,
};
pub use apps::{Curl, TokenCommand, TokenCreate};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Reach what your organisation lets you reach: SSH servers and other services in private networks.
#[derive(Debug, Parser)]
#[command(
    name = "postern",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Start with:\n  postern login --gateway https://postern.example.com\n  postern ls\n  postern ssh NAME\n\n\
        Exit codes: 0 done, 64 wrong usage, 69 no such thing, 75 try again later, 77 denied or not signed in.\n\
        Programs sign in with POSTERN_TOKEN and POSTERN_GATEWAY instead of `postern login`."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where profile and tokens live [default: $POSTERN_HOME, or $XDG_STATE_HOME/postern]
    // Read elsewhere: a variable that stands in for an argument counts as one, and `postern` alone would not show its help.
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    pub home: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true, display_order = 901)]
    pub json: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to a gateway
    Login(Login),
    /// Sign out and forget the tokens
    Logout,
    /// Show who you are to the gateway
    Whoami,
    /// Show the gateway, the sign-in and whether both work
    Status,
    /// List what you may reach
    Ls,
    /// Open an SSH session to a resource, with the system's ssh
    Ssh(Ssh),
    /// Carry bytes between standard input/output and a resource (for ssh's ProxyCommand)
    Proxy(Proxy),
    /// Offer a resource on a local port
    Forward(Forward),
    /// Call a web application with the system's curl, as yourself
    Curl(Curl),
    /// Create, list and revoke your own tokens for programs (git, docker, npm, a phone) at web applications
    #[command(subcommand)]
    Token(TokenCommand),
    /// Write resources into ~/.ssh/config, so that plain `ssh NAME.postern` works
    SshConfig(SshConfig),
    /// Print the known host keys of a resource (for ssh's KnownHostsCommand)
    #[command(hide = true)]
    KnownHosts(KnownHosts),
    /// The commands that administer
    #[command(flatten)]
    Admin(AdminCommand),
    /// Print a completion script for your shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_is_an_argument() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                let secret = ["token", "password", "secret"].contains(&name);
                assert!(!secret, "{} --{name}", command.get_name());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
