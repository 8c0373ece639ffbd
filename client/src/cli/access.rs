//! Arguments of the commands that sign in and reach resources.

use crate::resource::ResourceRef;
use clap::Args;
use std::{net::SocketAddr, path::PathBuf, str::FromStr};

/// Arguments of `login`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postern login --gateway https://postern.example.com\n  \
    postern login --gateway https://10.0.0.2:4433 --ca-sha256 3f9a…   (a gateway with its own CA)\n  \
    postern login --headless                                          (on a machine without a browser)\n  \
    postern login --gateway … --bootstrap-file FILE --username alice  (the first owner, once)")]
pub struct Login {
    /// The gateway's address [default: the one you used before]
    #[arg(long, env = "POSTERN_GATEWAY", value_name = "URL")]
    pub gateway: Option<String>,
    /// Fingerprint of the gateway's own CA, as it prints it when it starts
    #[arg(long, env = "POSTERN_CA_SHA256", value_name = "HEX", conflicts_with = "ca_file")]
    pub ca_sha256: Option<String>,
    /// Certificate authority of the gateway, in PEM
    #[arg(long, env = "POSTERN_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Show an address and a code to use on another device, instead of opening a browser
    #[arg(long, conflicts_with = "bootstrap_file")]
    pub headless: bool,
    /// File with the bootstrap token: become the first owner
    #[arg(long, value_name = "FILE", requires = "username")]
    pub bootstrap_file: Option<PathBuf>,
    /// User name of the first owner
    #[arg(long, value_name = "NAME", requires = "bootstrap_file")]
    pub username: Option<String>,
    /// File with the first owner's password [default: ask]
    #[arg(long, value_name = "FILE", requires = "bootstrap_file")]
    pub password_file: Option<PathBuf>,
}

/// Arguments of `ssh`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postern ssh bastion\n  \
    postern ssh root@bastion uptime\n  \
    postern ssh bastion -- -L 8080:localhost:80 -N")]
pub struct Ssh {
    /// Resource, with a login name in front if it differs from yours: [USER@]NAME
    #[arg(value_name = "[USER@]NAME")]
    pub destination: SshDestination,
    /// A command for the resource, as ssh takes it; after `--` any arguments of ssh itself: options, then a command
    #[arg(trailing_var_arg = true, value_name = "SSH ARGS")]
    pub arguments: Vec<String>,
}

/// `[USER@]NAME`, safe in a shell word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshDestination {
    /// The login name.
    pub user: Option<String>,
    /// The resource.
    pub resource: ResourceRef,
}

impl FromStr for SshDestination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, resource) = match text.rsplit_once('@') {
            Some((user, resource)) => (Some(user), resource),
            None => (None, text),
        };
        let is_safe = |user: &str| {
            !user.is_empty()
                && !user.starts_with('-')
                && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
        };
        if let Some(user) = user
            && !is_safe(user)
        {
            return Err(format!("{user:?} is no login name: only letters, digits and . _ : - are possible"));
        }
        Ok(Self { user: user.map(Into::into), resource: resource.parse()? })
    }
}

/// Arguments of `proxy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Standard output carries the resource's bytes and nothing else; everything for people goes to \
    standard error.\nA lost connection to the gateway is made again and the session goes on; POSTERN_RESUME=off, or \
    a number of seconds, says otherwise.\n\nExample:\n  ssh -o ProxyCommand='postern proxy bastion' bastion"
)]
pub struct Proxy {
    /// Resource by name (`bastion` or `bastion.postern`) or id
    #[arg(value_name = "NAME")]
    pub resource: ResourceRef,
}

/// Arguments of `forward`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  postern forward 5432:db             listens on 127.0.0.1:5432\n  \
    postern forward 0:db                picks a free port and prints it\n  \
    postern forward '[::1]:5432:db'     listens on another local address")]
pub struct Forward {
    /// Local port and resource: [ADDRESS:]PORT:NAME
    #[arg(value_name = "[ADDRESS:]PORT:NAME")]
    pub mapping: Mapping,
}

/// Where to listen, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The local address.
    pub listen: SocketAddr,
    /// The resource.
    pub resource: ResourceRef,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (listen, resource) = text.rsplit_once(':').ok_or("expected PORT:NAME, for example 5432:db")?;
        let listen = match listen.parse::<u16>() {
            Ok(port) => SocketAddr::from(([127, 0, 0, 1], port)),
            Err(_) => listen.parse().map_err(|_| format!("{listen:?} is neither a port nor ADDRESS:PORT"))?,
        };
        Ok(Self { listen, resource: resource.parse()? })
    }
}

/// Arguments of `ssh-config`.
#[derive(Debug, Args)]
#[command(
    after_help = "The block between the two marks belongs to this command; everything else in the file is left \
    alone. Run it again after resources were added."
)]
pub struct SshConfig {
    /// Show the file as it would be, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The file [default: ~/.ssh/config]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Take the block out again
    #[arg(long)]
    pub remove: bool,
}

/// Arguments of `known-hosts`.
#[derive(Debug, Args)]
pub struct KnownHosts {
    /// The host name that ssh looks for
    pub host: ResourceRef,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_hosts_and_users_that_a_shell_could_read_are_refused() {
        for bad in [
            "`id`",
            "$(id)",
            "a b",
            "a\nb",
            "-oProxyCommand=id",
            "a\0",
            "a;b",
            "a'b",
            "a\"b",
            "",
            "a/b",
            "é",
            "a%h",
            "%n",
            "x@-o",
            "-x@bastion",
            "$(id)@bastion",
            "a b@bastion",
            "@bastion",
            "x\n@bastion",
            "%r@bastion",
        ] {
            assert!(bad.parse::<SshDestination>().is_err(), "{bad:?}");
            assert!(format!("5432:{bad}").parse::<Mapping>().is_err() || bad.contains('@'), "{bad:?}");
        }
        for good in ["bastion", "root@bastion", "deploy.bot@db-1.prod", "bastion.postern"] {
            assert!(good.parse::<SshDestination>().is_ok(), "{good}");
        }
    }

    #[test]
    fn a_command_follows_the_resource_as_with_ssh_and_options_follow_two_dashes() {
        use crate::cli::{Cli, Command};
        use clap::Parser;
        let arguments = |line: &str| match Cli::try_parse_from(line.split(' ')).map(|cli| cli.command) {
            Ok(Command::Ssh(ssh)) => Some(ssh.arguments.join(" ")),
            Ok(_) | Err(_) => None,
        };
        for (line, wanted) in [
            ("postern ssh bastion", Some("")),
            ("postern ssh bastion uptime", Some("uptime")),
            ("postern ssh bastion ls -la --json", Some("ls -la --json")),
            ("postern ssh bastion -- -L 8080:localhost:80 -N", Some("-L 8080:localhost:80 -N")),
            ("postern ssh bastion -- uptime", Some("uptime")),
            ("postern ssh bastion -oProxyCommand=id", None),
            ("postern ssh -v bastion", None),
        ] {
            assert_eq!(arguments(line).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn a_forward_listens_on_this_machine_only_unless_told() {
        let parse = |text: &str| text.parse::<Mapping>().map(|mapping| mapping.listen.to_string());
        assert_eq!(parse("5432:db").as_deref(), Ok("127.0.0.1:5432"));
        assert_eq!(parse("[::1]:5432:db").as_deref(), Ok("[::1]:5432"));
        for bad in ["db", "x:db", "99999:db", ":db", "5432:"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
