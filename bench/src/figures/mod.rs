//! The figures, in groups that are measured together.

mod banner;
mod bulk;
mod decide;
mod http;
mod memory;
mod opens;
mod ping;
mod resume;
mod revoke;

use crate::{report::Report, stack::Stack};
use anyhow::Result;
use std::time::Duration;

/// Figures that share their preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// One stream and ten, up and down: throughput and CPU.
    Bulk,
    /// 64-byte round trips, alone and beside bulk.
    Ping,
    /// New sessions, decided and recorded.
    Opens,
    /// One decision over the large data set.
    Decide,
    /// One stream with and without resume: throughput, CPU, and memory at rest.
    Resume,
    /// From a revocation to the last closed target.
    Revoke,
    /// Memory per idle session.
    Memory,
    /// `postern proxy` to an sshd's banner.
    Banner,
    /// Requests a second of a web application.
    HttpRate,
    /// What the gateway adds to a request of a web application.
    HttpLatency,
    /// Downloads and uploads of a web application.
    HttpBulk,
    /// Idle WebSockets: memory, and the time until they are closed.
    HttpSockets,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Bytes of one bulk transfer.
    pub(crate) bytes: u64,
    /// Round trips of one ping series.
    pub(crate) pings: usize,
    /// Sessions of one series of opens.
    pub(crate) opens: usize,
    /// Sessions that one revocation ends.
    pub(crate) revoked: u32,
    /// How long one series of HTTP requests lasts.
    pub(crate) requests_for: Duration,
    /// WebSockets open at once.
    pub(crate) sockets: u32,
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self {
            rounds: 5,
            bytes: 1 << 30,
            pings: 2_000,
            opens: 20_000,
            revoked: 10_000,
            requests_for: Duration::from_secs(6),
            sockets: 5_000,
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            rounds: 3,
            bytes: 1 << 28,
            pings: 1_000,
            opens: 5_000,
            revoked: 2_000,
            requests_for: Duration::from_secs(2),
            sockets: 1_000,
        }
    }
}

impl Group {
    pub(crate) const ALL: &'static [Self] = &[
        Self::Bulk,
        Self::Resume,
        Self::Ping,
        Self::Opens,
        Self::Decide,
        Self::Banner,
        Self::Memory,
        Self::Revoke,
        Self::HttpRate,
        Self::HttpLatency,
        Self::HttpBulk,
        Self::HttpSockets,
    ];

    /// The groups of these names, or all of them; `http` names every group that begins so.
    pub(crate) fn named(names: &[String]) -> Result<Vec<Self>> {
        let is = |group: &&Self, name: &str| {
            let rest = group.label().strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        if let Some(unknown) = names.iter().find(|name| !Self::ALL.iter().any(|group| is(&group, name))) {
            let known: Vec<&str> = Self::ALL.iter().map(|group| group.label()).collect();
            anyhow::bail!("there are no figures {unknown:?}; there are {}", known.join(", "));
        }
        let wanted = |group: &&Self| names.is_empty() || names.iter().any(|name| is(group, name));
        Ok(Self::ALL.iter().filter(wanted).copied().collect())
    }

    /// Whether it is about web applications.
    pub(crate) fn is_http(self) -> bool {
        self.label().starts_with("http-")
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Ping => "ping",
            Self::Opens => "opens",
            Self::Decide => "decide",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
            Self::Memory => "memory",
            Self::Banner => "banner",
            Self::HttpRate => "http-rate",
            Self::HttpLatency => "http-latency",
            Self::HttpBulk => "http-bulk",
            Self::HttpSockets => "http-sockets",
        }
    }

    pub(crate) async fn measure(
        self,
        plan: &Plan,
        floor: &Stack,
        ours: &Stack,
        report: &mut Report,
    ) -> Result<()> {
        match self {
            Self::Bulk => bulk::measure(plan, floor, ours, report).await,
            Self::Ping => ping::measure(plan, floor, ours, report).await,
            Self::Opens => opens::measure(plan, ours, report).await,
            Self::Decide => decide::measure(plan, report),
            Self::Resume => resume::measure(plan, ours, report).await,
            Self::Revoke => revoke::measure(plan, ours, report).await,
            Self::Memory => memory::measure(ours, report).await,
            Self::Banner => banner::measure(plan, ours, report).await,
            Self::HttpRate => http::rate::measure(plan, ours, report).await,
            Self::HttpLatency => http::latency::measure(plan, ours, report).await,
            Self::HttpBulk => http::bulk::measure(plan, ours, report).await,
            Self::HttpSockets => http::sockets::measure(plan, ours, report).await,
        }
    }
}
