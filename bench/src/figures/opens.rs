//! New sessions: decided, recorded durably, opened at the target; beside what the disk takes for one record.

use super::Plan;
use crate::{
    load,
    process::Role,
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    stats::Summary,
};
use anyhow::Result;
use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
const SYNCS: usize = 300;
const RECORD: [u8; 4096] = [7; 4096];

const RATE: Figure =
    Figure { name: "new sessions, 50 at a time over 50 principals", unit: "1/s", bar: Bar::AtLeast(3_000.0) };
const P99: Figure = Figure { name: "one new session, p99", unit: "ms", bar: Bar::AtMost(40.0) };
const SYNC_P50: Figure = Figure { name: "fdatasync of 4 KiB, p50", unit: "ms", bar: Bar::Told };
const SYNC_P99: Figure = Figure { name: "fdatasync of 4 KiB, p99", unit: "ms", bar: Bar::Told };

pub(super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(scene) = &ours.scene else { return Ok(()) };
    let url = format!("{}/tunnel/client", scene.gateway.url());
    let (ca, count) = (scene.gateway.authority().display().to_string(), plan.opens.to_string());
    let (tokens, metadata) = (scene.tokens_directory().display().to_string(), scene.open_request(false));
    for _ in 0..plan.rounds {
        let args = [
            "--gateway",
            &url,
            "--ca-file",
            &ca,
            "--token",
            &tokens,
            "--metadata",
            &metadata,
            "--count",
            &count,
        ];
        let opens: load::Opens = Role::start("load opens", &args)?.result(LIMIT).await?;
        report.add(RATE, Whose::Ours, opens.per_second);
        report.add(P99, Whose::Ours, opens.millis.p99);
        let sync = sync_times(scene.gateway.state())?;
        report.add(SYNC_P50, Whose::Ours, sync.p50);
        report.add(SYNC_P99, Whose::Ours, sync.p99);
        // The buckets of the principals fill up again: every round has the default limits before it.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    Ok(())
}

/// What the journal's disk takes for one record, in milliseconds.
fn sync_times(directory: &Path) -> Result<Summary> {
    let path = directory.join("bench-fdatasync");
    let mut file = std::fs::File::create(&path)?;
    let mut millis = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&RECORD)?;
        let begun = Instant::now();
        file.sync_data()?;
        millis.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(&path)?;
    Ok(Summary::of(millis))
}
