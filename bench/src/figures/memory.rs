//! Memory per idle session, and what is given back.

use crate::{
    process::Role,
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
};
use anyhow::{Context, Result};
use std::time::Duration;

/// What a process loads once, with its first sessions, is not what sessions hold.
const FIRST: u32 = 100;
const FEW: u32 = 1_000;
const MANY: u32 = 5_000;
/// Until growth has settled, and until a closed session's memory must be back.
pub(super) const SETTLE: Duration = Duration::from_secs(10);

const GATEWAY: Figure =
    Figure { name: "memory per idle session, gateway", unit: "KiB", bar: Bar::AtMost(10.0) };
const CONNECTOR: Figure =
    Figure { name: "memory per idle session, connector", unit: "KiB", bar: Bar::AtMost(14.0) };
const GATEWAY_LEFT: Figure =
    Figure { name: "growth left 10 s after close, gateway", unit: "%", bar: Bar::AtMost(20.0) };
const CONNECTOR_LEFT: Figure =
    Figure { name: "growth left 10 s after close, connector", unit: "%", bar: Bar::AtMost(20.0) };

pub(super) async fn measure(ours: &Stack, report: &mut Report) -> Result<()> {
    close(hold(ours, FIRST).await?).await?;
    tokio::time::sleep(SETTLE).await;
    let before = ours.pss_kib()?;
    let few = hold(ours, FEW).await?;
    tokio::time::sleep(SETTLE).await;
    let at_few = ours.pss_kib()?;
    let more = hold(ours, MANY - FEW).await?;
    tokio::time::sleep(SETTLE).await;
    let at_many = ours.pss_kib()?;
    close(few).await?;
    close(more).await?;
    tokio::time::sleep(SETTLE).await;
    let after = ours.pss_kib()?;
    let each = f64::from(MANY - FEW);
    report.add(GATEWAY, Whose::Ours, (at_many.0 - at_few.0) / each);
    report.add(CONNECTOR, Whose::Ours, (at_many.1 - at_few.1) / each);
    report.add(GATEWAY_LEFT, Whose::Ours, 100.0 * (after.0 - before.0) / (at_many.0 - before.0));
    report.add(CONNECTOR_LEFT, Whose::Ours, 100.0 * (after.1 - before.1) / (at_many.1 - before.1));
    Ok(())
}

/// Opens so many idle sessions.
pub(super) async fn hold(stack: &Stack, count: u32) -> Result<Role> {
    let (address, wanted) = (stack.many.to_string(), count.to_string());
    let mut idle = Role::start("load idle", &["--address", &address, "--count", &wanted])?;
    let line = idle.line().await?;
    let held: u32 = line.strip_prefix("held ").with_context(|| line.clone())?.parse()?;
    anyhow::ensure!(held == count, "{held} of {count} connections stand");
    Ok(idle)
}

/// Closes them all.
pub(super) async fn close(mut idle: Role) -> Result<()> {
    idle.tell("close").await?;
    anyhow::ensure!(idle.line().await? == "closed", "the idle connections were not closed");
    Ok(())
}
