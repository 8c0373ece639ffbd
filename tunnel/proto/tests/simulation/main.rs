//! The same protocol code for client, gateways and connector on virtual time, against everything that a network and an
//! operator can do to it. A seed determines a run, byte for byte.
//!
//! `POSTERN_SEED=17 cargo test -p postern-tunnel-proto --test simulation one_seed -- --nocapture` replays seed 17 and
//! prints its event log; `POSTERN_SEEDS=100000` runs more of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test may fail, and looks at the events that it is about"
)]

mod app;
mod carrier;
mod client;
mod connector;
mod gateway;
mod lanes;
mod net;
mod rng;
mod trace;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a seed; a panic is a failure like any other.
fn run(seed: u64, keep: bool) -> (Result<world::Report, String>, Option<Vec<String>>) {
    catch_unwind(AssertUnwindSafe(|| world::run(seed, keep)))
        .unwrap_or_else(|_| (Err("panicked".into()), None))
}

fn explain(seed: u64, error: &str) -> String {
    let again = "cargo test --profile ci -p postern-tunnel-proto --test simulation one_seed -- --nocapture";
    let log = run(seed, true).1.unwrap_or_default().join("\n");
    let path = format!("{}/simulation-{seed}.log", env!("CARGO_TARGET_TMPDIR"));
    let _unwritten = std::fs::write(&path, log);
    format!("seed {seed}: {error}\n  event log: {path}\n  replay: POSTERN_SEED={seed} {again}")
}

#[test]
fn streams_arrive_whole_and_once_whatever_dies_on_the_way() {
    let seeds = number("POSTERN_SEEDS").unwrap_or(1_000);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let work = || {
        let (mut failures, mut reports) = (vec![], vec![]);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || failures.len() >= 3 {
                return (failures, reports);
            }
            match run(seed, false).0 {
                Ok(report) => reports.push(report),
                Err(error) => failures.push(explain(seed, &error)),
            }
        }
    };
    let (failures, reports): (Vec<_>, Vec<_>) = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).unzip()
    });
    let failures = failures.concat();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let reports = reports.concat();
    let sum = |of: fn(&world::Report) -> u64| reports.iter().map(of).sum::<u64>();
    let attempts = sum(|report| u64::from(report.attempts));
    println!("{seeds} seeds: {attempts} attempts, {} rejected", sum(|report| report.rejected));
    // A simulation in which nothing breaks proves nothing.
    assert!(attempts > 2 * seeds, "only {attempts} attempts");
    assert!(sum(|report| report.rejected) > seeds / 100);
    assert!(reports.iter().any(|report| report.killed > 0));
}

#[test]
fn lanes_keep_their_bytes_whatever_order_things_happen_in() {
    let moved: u64 =
        (0..1_000).map(|seed| lanes::run(seed, false).unwrap_or_else(|e| panic!("seed {seed}: {e}"))).sum();
    assert!(moved > 100_000_000, "only {moved} bytes moved");
}

#[test]
fn t02_damaged_messages_never_do_more_than_end_their_link() {
    for seed in 0..2_000 {
        lanes::run(seed, true).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 2, 3, 77, 500] {
        let (first, second) = (run(seed, true), run(seed, true));
        assert_eq!(first.0, second.0);
        assert_eq!(first.1, second.1);
        let hash =
            |outcome: &(Result<world::Report, String>, _)| outcome.0.as_ref().map(|report| report.hash).ok();
        assert_ne!(hash(&first), hash(&run(seed + 1_000, false)));
    }
}

#[test]
fn one_seed() {
    let Some(seed) = number("POSTERN_SEED") else { return };
    let (result, log) = run(seed, true);
    log.unwrap_or_default().iter().for_each(|line| println!("{line}"));
    match result {
        Ok(report) => println!("seed {seed}: {report:?}"),
        Err(error) => panic!("seed {seed}: {error}"),
    }
}
