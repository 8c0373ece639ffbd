//! Running seeds: one, or many at once, and writing down those that fail.

use crate::{
    stage::Sabotage,
    world::{self, Report},
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// How to run one seed again, from anywhere in the repository.
const AGAIN: &str = "cargo test --workspace --profile ci --test simulation one_seed -- --nocapture";
/// Failures that are explained before the run stops.
const FAILURES_MAX: usize = 3;

/// How a seed went: what it came to, or what is wrong; and its event log, if it was to be kept.
pub(crate) struct Outcome {
    pub(crate) result: Result<Report, String>,
    pub(crate) log: Vec<String>,
}

/// Runs a seed; a panic is a failure like any other.
pub(crate) fn run(seed: u64, sabotage: Option<Sabotage>, keep: bool) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| world::run(seed, sabotage, keep)));
    let (result, log) = run.unwrap_or_else(|_| (Err("panicked".into()), None));
    Outcome { result, log: log.unwrap_or_default() }
}

/// What one seed that failed leaves behind.
pub(crate) struct Failure {
    pub(crate) error: String,
    pub(crate) log: PathBuf,
    pub(crate) replay: String,
}

impl Failure {
    /// Runs the seed once more to write its event log.
    pub(crate) fn write(seed: u64, error: String, sabotage: Option<Sabotage>) -> Self {
        let name = sabotage.map_or(String::new(), |sabotage| format!("-{sabotage:?}"));
        let log = PathBuf::from(format!("{}/simulation-{seed}{name}.log", env!("CARGO_TARGET_TMPDIR")));
        let mut lines = run(seed, sabotage, true).log;
        lines.push(error.clone());
        std::fs::write(&log, lines.join("\n")).unwrap();
        Self { error, log, replay: format!("POSTERN_SEED={seed} {AGAIN}") }
    }
}

/// Runs all seeds below `seeds`, and sums up what happened in them.
pub(crate) fn run_all(seeds: u64) -> BTreeMap<&'static str, u64> {
    let next = AtomicU64::new(0);
    let work = || {
        let (mut failures, mut all) = (vec![], BTreeMap::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || failures.len() >= FAILURES_MAX {
                return (failures, all);
            }
            match run(seed, None, false).result {
                Ok(report) => add(&mut all, report.seen),
                Err(error) => failures.push((seed, Failure::write(seed, error, None))),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let (failures, seen): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).unzip()
    });
    let told = failures.into_iter().flatten().map(|(seed, failure)| {
        let Failure { error, log, replay } = failure;
        format!("seed {seed}: {error}\n  event log: {}\n  replay: {replay}", log.display())
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let mut all = BTreeMap::new();
    seen.into_iter().for_each(|seen| add(&mut all, seen));
    all
}

fn add(all: &mut BTreeMap<&'static str, u64>, more: BTreeMap<&'static str, u64>) {
    for (what, times) in more {
        *all.entry(what).or_default() += times;
    }
}
