//! The figures, in groups that are measured together.

mod banner;
mod bulk;
mod decide;
mod memory;
mod opens;
mod ping;
mod resume;
mod revoke;

use crate::{report::Report, stack::Stack};
use anyhow::Result;
use clap::ValueEnum;

/// Figures that share their preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self { rounds: 5, bytes: 1 << 30, pings: 2_000, opens: 20_000, revoked: 10_000 }
    }

    pub(crate) fn quick() -> Self {
        Self { rounds: 3, bytes: 1 << 28, pings: 1_000, opens: 5_000, revoked: 2_000 }
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
    ];

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
        }
    }
}
