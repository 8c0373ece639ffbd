//! What the gateway adds to a request at a rate that nobody is strained by.

use super::{super::Plan, Ground};
use crate::{
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    stats::Spread,
    web::{h2load, wrk},
};
use anyhow::{Context, Result};

/// Of what nginx answers at most.
const PART: f64 = 0.2;
/// Series of which the median is nginx's maximum.
const SERIES: usize = 3;

const RATE: Figure = Figure { name: "rate at which latency is measured", unit: "1/s", bar: Bar::Told };
const P50: Figure = Figure { name: "latency of a request, p50; floor nginx", unit: "ms", bar: Bar::Told };
const P99: Figure = Figure { name: "latency of a request, p99; floor nginx", unit: "ms", bar: Bar::Told };
const ADDED_P50: Figure = Figure { name: "added to nginx's latency, p50", unit: "ms", bar: Bar::AtMost(0.5) };
const ADDED_P99: Figure = Figure { name: "added to nginx's latency, p99", unit: "ms", bar: Bar::AtMost(3.0) };

pub(in super::super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(ground) = Ground::of(ours)? else { return Ok(()) };
    let (web, directory) = (ground.web, ground.directory());
    let mut most = Vec::new();
    for _ in 0..SERIES {
        most.push(wrk(web.front(), plan.requests_for / 2, directory).await?);
    }
    let rate = PART * Spread::of(&most).context("some series")?.median;
    report.add(RATE, Whose::Ours, rate);
    for _ in 0..plan.rounds {
        let floor = h2load(web.front(), rate, plan.requests_for, directory).await?;
        let through = h2load(web.page(), rate, plan.requests_for, directory).await?;
        for (whose, latency) in [(Whose::Floor, floor), (Whose::Ours, through)] {
            report.add(P50, whose, latency.p50);
            report.add(P99, whose, latency.p99);
        }
        report.add(ADDED_P50, Whose::Ours, through.p50 - floor.p50);
        report.add(ADDED_P99, Whose::Ours, through.p99 - floor.p99);
    }
    Ok(())
}
