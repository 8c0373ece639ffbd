//! Arguments of the commands for web applications.

use super::admin::parse_span;
use crate::{app_url::AppUrl, resource::ResourceRef};
use clap::{Args, Subcommand};
use postern_ids::TokenId;
use std::{path::PathBuf, time::Duration};

/// Subcommands of `token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a token for one application; its secret is shown once
    Create(TokenCreate),
    /// List your tokens, without their secrets
    #[command(visible_alias = "ls")]
    List,
    /// Revoke a token of yours, within a second
    Revoke {
        /// Token id
        token: TokenId,
    },
}

/// Arguments of `token create`.
#[derive(Debug, Args)]
#[command(
    after_help = "A program shows the token as `Authorization: Bearer …`, or as a password with any user name where the \
    application was set up to take it.\nIt lets the program do what you may do there, and nothing else. Keep it where the \
    program keeps its passwords; it cannot be shown again.\n\nExamples:\n  \
    postern token create git --note laptop                      good for 90 days\n  \
    postern token create grafana --path /api --expires 7d       for a part of an application\n  \
    postern token create registry --out registry.token          into a new file that only you can read"
)]
pub struct TokenCreate {
    /// The application, by its resource's name or id
    #[arg(value_name = "NAME")]
    pub resource: ResourceRef,
    /// The part of the application that it is good for, such as /api [default: all of it]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    pub path: String,
    /// How long it is good: 30m, 12h, 90d, at most 365d [default: 90d]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub expires: Option<Duration>,
    /// What it is for, for when you read the list later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub note: String,
    /// Write the secret to this new file (mode 0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Arguments of `curl`.
#[derive(Debug, Args)]
#[command(
    after_help = "The system's curl makes the request, as you: with a token for this one application, made for this one \
    call and revoked after it.\nThe token reaches curl through a pipe, never through its arguments. A second URL among \
    curl's arguments would be sent the token too.\n\nExamples:\n  \
    postern curl https://grafana.apps.example.com/api/health\n  \
    postern curl https://files.apps.example.com/upload -- -T backup.tar --fail\n\n\
    Exit codes: curl's own, or those of `postern` when curl was not started."
)]
pub struct Curl {
    /// Address of a page or call of an application
    #[arg(value_name = "URL")]
    pub url: AppUrl,
    /// Arguments for curl itself
    #[arg(last = true, value_name = "CURL ARGS")]
    pub arguments: Vec<String>,
}
