//! The figures, in groups that are measured together.

mod bulk;
mod memory;
mod ping;

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
    /// Memory per idle session.
    Memory,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Bytes of one bulk transfer.
    pub(crate) bytes: u64,
    /// Round trips of one ping series.
    pub(crate) pings: usize,
}

impl Plan {
    pub(crate) fn full() -> Self {
        Self { rounds: 5, bytes: 1 << 30, pings: 2_000 }
    }

    pub(crate) fn quick() -> Self {
        Self { rounds: 3, bytes: 1 << 28, pings: 1_000 }
    }
}

impl Group {
    pub(crate) const ALL: &'static [Self] = &[Self::Bulk, Self::Ping, Self::Memory];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Ping => "ping",
            Self::Memory => "memory",
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
            Self::Memory => memory::measure(ours, report).await,
        }
    }
}
