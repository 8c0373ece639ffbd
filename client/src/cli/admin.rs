//! Arguments of the commands that administer.

use crate::resource::ResourceRef;
use clap::{Args, Subcommand, ValueEnum};
use postern_api::ObjectKind;
use postern_ids::{DecisionId, SessionId};
use std::{path::PathBuf, time::Duration};

/// The commands that administer: each asks the gateway's API.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Apply declarative documents: show what would change, ask, then change it all or nothing
    Apply(Apply),
    /// Show objects: sites, resources, groups, users, grants, policies, …
    Get(Get),
    /// Explain a decision, or what would be decided
    Explain(Explain),
    /// List, disable and enable people
    #[command(subcommand)]
    Users(UsersCommand),
    /// List and end sessions
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// List and revoke connectors
    #[command(subcommand)]
    Connectors(ConnectorsCommand),
    /// Learn and confirm the host keys of SSH resources, so that everybody's ssh checks them
    #[command(subcommand)]
    HostKeys(HostKeysCommand),
    /// Create, list and revoke tokens for connectors and programs
    #[command(subcommand)]
    Tokens(TokensCommand),
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
#[command(after_help = "A file is a stream of YAML documents, each with a `kind` and a `name`:\n\n  \
    kind: resource\n  name: bastion\n  site: office\n  type: ssh\n  target: 127.0.0.1:22\n  ---\n  \
    kind: grant\n  name: engineers-to-bastion\n  subjects: [{group: engineers}]\n  resources: {names: [bastion]}\n  \
    actions: [connect]\n\n`kind: absent` removes an object. Secrets are {fromEnv: NAME} or {fromFile: PATH}.")]
pub struct Apply {
    /// YAML file; `-` reads standard input. May be repeated
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Show what would change, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  postern get resources\n  postern get grant engineers-to-bastion -o yaml\n  \
    postern get policies -o yaml > policies.yaml"
)]
pub struct Get {
    /// Kind: sites, resources, groups, users, service-accounts, grants, policies, windows, thresholds
    #[arg(value_name = "KIND", value_parser = parse_kind)]
    pub kind: ObjectKind,
    /// One object by name or id [default: all of the kind]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How to print
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,
}

/// A form of printing objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Documents that `postern apply` takes.
    Yaml,
    /// What the API answers.
    Json,
}

fn parse_kind(text: &str) -> Result<ObjectKind, String> {
    let wanted = text.replace('_', "-");
    let named = |kind: &&ObjectKind| kind.path() == wanted || kind.word().replace('_', "-") == wanted;
    ObjectKind::ALL.iter().find(named).copied().ok_or_else(|| {
        let known: Vec<&str> = ObjectKind::ALL.iter().map(|kind| kind.path()).collect();
        format!("there is no kind {text:?}; known are {}", known.join(", "))
    })
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  postern explain dec_01…                      why was this decided?\n  \
    postern explain --user alice --resource db   would this be allowed now?")]
pub struct Explain {
    /// Decision id, as a denial shows it
    #[arg(value_name = "DECISION")]
    pub decision: Option<DecisionId>,
    /// Who would ask [default: you]
    #[arg(long, value_name = "NAME", conflicts_with = "decision", requires = "resource")]
    pub user: Option<String>,
    /// For which resource
    #[arg(long, value_name = "NAME", conflicts_with = "decision")]
    pub resource: Option<String>,
}

/// Subcommands of `users`.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List people
    Ls,
    /// Lock a person out: ends their sign-ins, sessions and tokens within a second
    Disable {
        /// User name or id
        user: String,
    },
    /// Let a person in again
    Enable {
        /// User name or id
        user: String,
    },
}

/// Subcommands of `sessions`.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List sessions, newest first
    Ls(SessionsLs),
    /// End a session now
    End {
        /// Session id
        session: SessionId,
    },
}

/// Arguments of `sessions ls`.
#[derive(Debug, Args)]
#[command(
    after_help = "UP (to the target) and DOWN are counted as the gateway carries the bytes, and told when it lets go of the \
    session. Of a\nsession that can be resumed they include the framing of its stream (12 bytes a piece of data, 20 an \
    acknowledgement), and what\nwas sent again after a loss."
)]
pub struct SessionsLs {
    /// Only those that have not ended
    #[arg(long)]
    pub live: bool,
    /// Only those of this person or service account
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only those to this resource
    #[arg(long, value_name = "NAME")]
    pub resource: Option<ResourceRef>,
    /// At most so many, up to 1000 [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: Option<u32>,
}

/// Subcommands of `connectors`.
#[derive(Debug, Subcommand)]
pub enum ConnectorsCommand {
    /// List connectors
    Ls,
    /// Revoke a connector for good: ends its sessions, and it has to be enrolled anew
    Revoke {
        /// Connector name or id
        connector: String,
    },
    /// Make the next key that connectors believe: announced to them now, signing in two hours
    RotateKeys,
}

/// Subcommands of `host-keys`.
#[derive(Debug, Subcommand)]
pub enum HostKeysCommand {
    /// List the keys of a resource, confirmed or not
    Ls {
        /// Resource name or id
        resource: ResourceRef,
    },
    /// Ask the host for its keys, in sessions of yours; they count when they are confirmed
    Probe {
        /// Resource name or id
        resource: ResourceRef,
    },
    /// Vouch for keys by their fingerprints, as `ssh-keygen -lf` shows them on the host; all others are forgotten
    Confirm {
        /// Resource name or id
        resource: ResourceRef,
        /// Fingerprints such as SHA256:Zx…
        #[arg(required = true, value_name = "SHA256:…")]
        fingerprints: Vec<String>,
    },
}

/// Subcommands of `tokens`.
#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Create a token; its secret is shown once
    Create(TokensCreate),
    /// List tokens, without their secrets
    Ls,
    /// Revoke a token
    Revoke {
        /// Token id
        token: postern_ids::TokenId,
    },
}

/// Arguments of `tokens create`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  postern tokens create --site office --out office.token      enrolls one connector\n  \
    postern tokens create --site k8s --uses 50 --ephemeral      for containers that come and go\n  \
    postern tokens create --service-account ci --expires 30d    a program's sign-in"
)]
#[command(group(clap::ArgGroup::new("for").required(true).args(["site", "service_account"])))]
pub struct TokensCreate {
    /// Site whose connectors it enrolls
    #[arg(long, value_name = "SITE")]
    pub site: Option<String>,
    /// Service account that it signs in
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
    /// How many connectors it enrolls [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "service_account")]
    pub uses: Option<u32>,
    /// Its connectors disappear 30 minutes after they went offline
    #[arg(long, conflicts_with = "service_account")]
    pub ephemeral: bool,
    /// How long it is good: 30m, 12h, 90d [default: an hour to enroll, 90 days for programs]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub expires: Option<Duration>,
    /// What it is for, for whoever reads the list later
    #[arg(long, value_name = "TEXT", conflicts_with = "site", default_value = "")]
    pub note: String,
    /// Write the secret to this new file (mode 0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is no time span like 45s, 30m, 12h or 90d");
    let unit = text.chars().next_back().ok_or_else(bad)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok()).ok_or_else(bad)?;
    number.checked_mul(factor).filter(|&secs| secs > 0).map(Duration::from_secs).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_in_both_numbers() {
        for (text, kind) in [
            ("sites", ObjectKind::Site),
            ("site", ObjectKind::Site),
            ("policies", ObjectKind::Policy),
            ("service_account", ObjectKind::ServiceAccount),
            ("service-accounts", ObjectKind::ServiceAccount),
        ] {
            assert_eq!(parse_kind(text), Ok(kind));
        }
        assert!(parse_kind("secrets").is_err());
    }

    #[test]
    fn what_has_no_effect_on_a_token_is_no_argument_of_it() {
        use crate::cli::Cli;
        use clap::Parser;
        let is_taken = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(is_taken("postern tokens create --site office --uses 3 --ephemeral"));
        assert!(is_taken("postern tokens create --service-account ci --note x --expires 1d"));
        for bad in
            ["--service-account ci --uses 3", "--service-account ci --ephemeral", "--site office --note x"]
        {
            assert!(!is_taken(&format!("postern tokens create {bad}")), "{bad}");
        }
    }

    #[test]
    fn time_spans_have_a_unit() {
        assert_eq!(parse_span("90d"), Ok(Duration::from_secs(90 * 86_400)));
        for bad in ["", "90", "d", "-1d", "0h", "1y", "99999999999999999999d", "1é"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }
}
