//! Web applications behind the real gateway, people who are signed in, and a stock nginx beside it as the floor.

mod app;
mod h2load;
mod nginx;
mod person;
mod scene;
mod sockets;
mod tls;
mod tools;
mod transfer;
mod wrk;

pub(crate) use h2load::h2load;
pub(crate) use scene::{Scene, grant, options, revoke};
pub(crate) use sockets::{Closed, Report as SocketReport};
pub(crate) use tools::check;
pub(crate) use transfer::Transferred;
pub(crate) use wrk::wrk;

use crate::process;
use anyhow::Result;
use clap::Subcommand;
use std::net::SocketAddr;

/// What runs as a process of its own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// An application: gives, takes, and holds WebSockets.
    App,
    /// One download or upload over TLS.
    Transfer(transfer::Args),
    /// WebSockets that do nothing, and when each was closed.
    Sockets(sockets::Args),
}

impl Part {
    pub(crate) async fn play(self) -> Result<()> {
        match self {
            Self::App => process::until_stdin_closes(app::serve()).await,
            Self::Transfer(args) => transfer::run(args).await,
            Self::Sockets(args) => sockets::run(args).await,
        }
    }
}

/// Where requests of one kind go: nginx beside the gateway, or an application through it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The host of the request, with the port; a name that only the caller resolves.
    pub(crate) authority: String,
    /// The cookie of somebody who is signed in; none where nobody asks.
    pub(crate) cookie: Option<String>,
}

impl Way {
    /// An address there.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.authority)
    }

    /// The header line that says who asks.
    pub(crate) fn cookie_line(&self) -> Option<String> {
        self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}"))
    }
}
