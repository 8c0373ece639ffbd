//! From the order to revoke to the last closed connection at the target.

use super::{Plan, memory::hold};
use crate::{
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    target,
};
use anyhow::{Context, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(20);
/// A revocation and its end take seconds of preparation; three rounds show the spread.
const ROUNDS: usize = 3;

const REVOKE: Figure = Figure {
    name: "revoke to last close at the target, all live sessions",
    unit: "s",
    bar: Bar::AtMost(1.0),
};
const SESSIONS: Figure = Figure { name: "sessions that it ended", unit: "", bar: Bar::Told };

pub(super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(scene) = &ours.scene else { return Ok(()) };
    for _ in 0..plan.rounds.min(ROUNDS) {
        let held = hold(ours, plan.revoked).await?;
        let (count, _) = target::held(ours.target).await?;
        let begun = SystemTime::now().duration_since(UNIX_EPOCH)?;
        tokio::task::block_in_place(|| scene.revoke())?;
        let last = await_none(ours).await?;
        drop(held);
        report.add(
            REVOKE,
            Whose::Ours,
            last.checked_sub(begun).context("a close after the order")?.as_secs_f64(),
        );
        report.add(SESSIONS, Whose::Ours, count as f64);
        tokio::task::block_in_place(|| scene.grant())?;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

/// Waits until the target holds nothing; when the last connection was closed.
async fn await_none(ours: &Stack) -> Result<Duration> {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let (count, last) = target::held(ours.target).await?;
        if count == 0 {
            return Ok(Duration::from_micros(last));
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < deadline,
            "{count} sessions live on after the revocation"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
