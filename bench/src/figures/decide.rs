//! One decision with the policy crate's large data set.

use super::Plan;
use crate::{
    report::{Bar, Figure, Report, Whose},
    stats::Summary,
};
use anyhow::Result;
use postern_policy::{Snapshot, Staleness, dataset::Dataset, decide};
use std::{hint::black_box, time::Instant};

const DECISIONS: u64 = 20_000;

const P50: Figure = Figure { name: "decide, 1,000 rules, p50", unit: "µs", bar: Bar::Told };
const P99: Figure = Figure { name: "decide, 1,000 rules, p99", unit: "µs", bar: Bar::AtMost(100.0) };

pub(super) fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let data = Dataset::new(7);
    let now = data.now;
    let snapshot = Snapshot::build(data.source.clone())?;
    for round in 0..plan.rounds {
        let first = u64::try_from(round)? * DECISIONS;
        let mut micros = Vec::with_capacity(usize::try_from(DECISIONS)?);
        for n in first..first + DECISIONS {
            let request = data.request(n);
            let begun = Instant::now();
            let decided = black_box(decide(black_box(&request), &snapshot, Staleness::FRESH, now));
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
            drop(decided);
        }
        let summary = Summary::of(micros);
        report.add(P50, Whose::Ours, summary.p50);
        report.add(P99, Whose::Ours, summary.p99);
    }
    Ok(())
}
