//! Throughput and CPU of bulk streams.

use super::Plan;
use crate::{
    load::Bulk,
    process::Role,
    report::{Bar, Figure, Report, Whose},
    stack::Stack,
};
use anyhow::Result;
use std::time::Duration;

const GIB: f64 = (1u64 << 30) as f64;
const STREAMS: u64 = 10;
const LIMIT: Duration = Duration::from_secs(120);

const UP: Figure = Figure { name: "one stream up", unit: "Gbit/s", bar: Bar::AtLeastOfFloor(0.85) };
const DOWN: Figure = Figure { name: "one stream down", unit: "Gbit/s", bar: Bar::AtLeastOfFloor(0.85) };
const CPU_UP: Figure = Figure { name: "CPU of all relays, up", unit: "s/GiB", bar: Bar::AtMostOfFloor(1.2) };
const CPU_DOWN: Figure =
    Figure { name: "CPU of all relays, down", unit: "s/GiB", bar: Bar::AtMostOfFloor(1.2) };
const GATEWAY_UP: Figure = Figure { name: "CPU of the gateway alone, up", unit: "s/GiB", bar: Bar::Told };
const CLIENT_UP: Figure = Figure { name: "CPU of the client alone, up", unit: "s/GiB", bar: Bar::Told };
const CONNECTOR_UP: Figure = Figure { name: "CPU of the connector alone, up", unit: "s/GiB", bar: Bar::Told };
const TEN: Figure = Figure { name: "ten streams up, sum", unit: "Gbit/s", bar: Bar::Told };
const CPU_TEN: Figure = Figure { name: "CPU of all relays, ten streams up", unit: "s/GiB", bar: Bar::Told };
const CLIENT_TEN: Figure = Figure { name: "CPU of the client alone, ten", unit: "s/GiB", bar: Bar::Told };
const GATEWAY_TEN: Figure = Figure { name: "CPU of the gateway alone, ten", unit: "s/GiB", bar: Bar::Told };
const CONNECTOR_TEN: Figure =
    Figure { name: "CPU of the connector alone, ten", unit: "s/GiB", bar: Bar::Told };
const TEN_OF_ONE: Figure =
    Figure { name: "ten streams, sum over one stream", unit: "×", bar: Bar::AtLeast(1.0) };
const FAIR: Figure = Figure { name: "ten streams, slowest over fastest", unit: "×", bar: Bar::AtLeast(0.5) };

pub(super) async fn measure(plan: &Plan, floor: &Stack, ours: &Stack, report: &mut Report) -> Result<()> {
    for _ in 0..plan.rounds {
        for (whose, stack) in [(Whose::Floor, floor), (Whose::Ours, ours)] {
            let one = transfer(stack, "up", plan.bytes, 1).await?;
            report.add(UP, whose, one.gbits);
            report.add(CPU_UP, whose, one.cpu_per_gib());
            add_each(report, whose, [CLIENT_UP, GATEWAY_UP, CONNECTOR_UP], &one);
            let down = transfer(stack, "down", plan.bytes, 1).await?;
            report.add(DOWN, whose, down.gbits);
            report.add(CPU_DOWN, whose, down.cpu_per_gib());
            let ten = transfer(stack, "up", plan.bytes / STREAMS, STREAMS).await?;
            report.add(TEN, whose, ten.gbits);
            report.add(CPU_TEN, whose, ten.cpu_per_gib());
            add_each(report, whose, [CLIENT_TEN, GATEWAY_TEN, CONNECTOR_TEN], &ten);
            if whose == Whose::Ours {
                report.add(TEN_OF_ONE, whose, ten.gbits / one.gbits);
                report.add(FAIR, whose, ten.fairness);
            }
        }
    }
    Ok(())
}

fn add_each(report: &mut Report, whose: Whose, figures: [Figure; 3], transfer: &Transfer) {
    for (figure, seconds) in figures.into_iter().zip(transfer.cpu_each) {
        report.add(figure, whose, seconds);
    }
}

pub(super) struct Transfer {
    pub(super) gbits: f64,
    /// CPU seconds per GiB of client, gateway and connector.
    cpu_each: [f64; 3],
    /// The fastest stream's time over the slowest's.
    fairness: f64,
}

impl Transfer {
    pub(super) fn cpu_per_gib(&self) -> f64 {
        self.cpu_each.iter().sum()
    }
}

/// So many streams at once, each with so many bytes.
pub(super) async fn transfer(stack: &Stack, direction: &str, bytes: u64, streams: u64) -> Result<Transfer> {
    let (address, each, count) = (stack.entry.to_string(), bytes.to_string(), streams.to_string());
    let before = stack.cpu_seconds()?;
    let load = Role::start(
        "load bulk",
        &["--address", &address, "--direction", direction, "--bytes", &each, "--streams", &count],
    )?;
    let bulk: Bulk = load.result(LIMIT).await?;
    let after = stack.cpu_seconds()?;
    let total = (bytes * streams) as f64;
    let cpu_each = std::array::from_fn(|relay| (after[relay] - before[relay]) / (total / GIB));
    let fastest = bulk.each.iter().copied().fold(f64::INFINITY, f64::min);
    let slowest = bulk.each.iter().copied().fold(0.0, f64::max);
    Ok(Transfer { gbits: total * 8.0 / 1e9 / bulk.seconds, cpu_each, fairness: fastest / slowest })
}
