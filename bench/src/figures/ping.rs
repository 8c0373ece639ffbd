//! Round trips of 64 bytes: on an idle link, and beside bulk on the same link.

use super::Plan;
use crate::{
    load::Bulk,
    process::Role,
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    stats::Summary,
};
use anyhow::Result;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const INTERVAL_US: u64 = 2_000;
/// 0.5 Gbit/s.
const PACED: u64 = 62_500_000;

const IDLE_P50: Figure =
    Figure { name: "round trip, idle link, p50", unit: "µs", bar: Bar::AtMostOfFloor(1.5) };
const IDLE_P99: Figure =
    Figure { name: "round trip, idle link, p99", unit: "µs", bar: Bar::AtMostOfFloor(2.0) };
const PACED_P99: Figure = Figure {
    name: "round trip beside 0.5 Gbit/s on the link, p99",
    unit: "µs",
    bar: Bar::AtMostOfFloor(1.5),
};
const FULL_P99: Figure =
    Figure {
        name: "round trip beside unpaced bulk on the link, p99", unit: "µs", bar: Bar::AtMost(4_000.0)
    };
const FULL_SPEED: Figure =
    Figure { name: "that bulk over bulk without round trips", unit: "×", bar: Bar::AtLeast(0.9) };

pub(super) async fn measure(plan: &Plan, floor: &Stack, ours: &Stack, report: &mut Report) -> Result<()> {
    for _ in 0..plan.rounds {
        for (whose, stack) in [(Whose::Floor, floor), (Whose::Ours, ours)] {
            let idle = ping(stack, plan.pings).await?;
            report.add(IDLE_P50, whose, idle.p50);
            report.add(IDLE_P99, whose, idle.p99);
            let (beside, _) = ping_beside(stack, plan.pings, Some(PACED)).await?;
            report.add(PACED_P99, whose, beside.p99);
            let alone = bulk_speed(stack, plan.pings).await?;
            let (beside, speed) = ping_beside(stack, plan.pings, None).await?;
            report.add(FULL_P99, whose, beside.p99);
            report.add(FULL_SPEED, whose, speed / alone);
        }
    }
    Ok(())
}

async fn ping(stack: &Stack, count: usize) -> Result<Summary> {
    let (address, count, interval) = (stack.entry.to_string(), count.to_string(), INTERVAL_US.to_string());
    Role::start("load ping", &["--address", &address, "--count", &count, "--interval-us", &interval])?
        .result(LIMIT)
        .await
}

/// Round trips while a bulk stream runs, and that stream's bytes a second.
async fn ping_beside(stack: &Stack, count: usize, rate: Option<u64>) -> Result<(Summary, f64)> {
    let seconds = count as f64 * INTERVAL_US as f64 / 1e6 * 1.2 + 0.5;
    let bulk = start_bulk(stack, rate, seconds)?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pings = ping(stack, count).await?;
    Ok((pings, bulk.result::<Bulk>(LIMIT).await?.bytes_per_second))
}

async fn bulk_speed(stack: &Stack, count: usize) -> Result<f64> {
    let bulk = start_bulk(stack, None, count as f64 * INTERVAL_US as f64 / 1e6)?;
    Ok(bulk.result::<Bulk>(LIMIT).await?.bytes_per_second)
}

fn start_bulk(stack: &Stack, rate: Option<u64>, seconds: f64) -> Result<Role> {
    let (address, seconds) = (stack.entry.to_string(), seconds.to_string());
    let rate = rate.map(|rate| rate.to_string());
    let mut args = vec!["--address", &address, "--direction", "up", "--seconds", &seconds];
    if let Some(rate) = &rate {
        args.extend(["--rate", rate]);
    }
    Role::start("load bulk", &args)
}
