//! How many requests a second there are when nobody waits.

use super::{super::Plan, Ground};
use crate::{
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
    web::{Way, wrk},
};
use anyhow::Result;
use std::time::Duration;

const RATE: Figure = Figure {
    name: "requests, signed in and decided each; floor nginx",
    unit: "1/s",
    bar: Bar::AtLeastOfFloor(0.5),
};
const GATEWAY: Figure = Figure { name: "CPU of the gateway a request", unit: "µs", bar: Bar::Told };
const CONNECTOR: Figure = Figure { name: "CPU of the connector a request", unit: "µs", bar: Bar::Told };

pub(in super::super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(ground) = Ground::of(ours)? else { return Ok(()) };
    let web = ground.web;
    for way in [web.front(), web.page()] {
        wrk(way, Duration::from_secs(1), ground.directory()).await?;
    }
    for _ in 0..plan.rounds {
        report.add(RATE, Whose::Floor, wrk(web.front(), plan.requests_for, ground.directory()).await?);
        let (rate, [_, gateway, connector]) = with_cpu(ours, web.page(), plan.requests_for, &ground).await?;
        report.add(RATE, Whose::Ours, rate);
        report.add(GATEWAY, Whose::Ours, gateway);
        report.add(CONNECTOR, Whose::Ours, connector);
    }
    Ok(())
}

/// The rate, and the CPU time of each of our processes for one request, in microseconds.
async fn with_cpu(ours: &Stack, way: &Way, time: Duration, ground: &Ground<'_>) -> Result<(f64, [f64; 3])> {
    let before = ours.cpu_seconds()?;
    let rate = wrk(way, time, ground.directory()).await?;
    let after = ours.cpu_seconds()?;
    let requests = rate * time.as_secs_f64();
    Ok((rate, std::array::from_fn(|process| (after[process] - before[process]) * 1e6 / requests)))
}
