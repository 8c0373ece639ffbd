//! How many allows a journal makes durable in a second, with 50 callers at once, alone and beside shipping to SQLite.
//!
//! `cargo run --release -p postern-store --example journal_rate [directory]`
#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

#[path = "../tests/support/permits.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the tests")]
mod permits;

use permits::Scene;
use postern_ids::{Ended, NodeId, Timestamp};
use postern_store::{
    Database, Store, StoreConfig,
    journal::{Journal, SessionEnd, SessionFacts, Sweep},
};
use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant, SystemTime},
};
use tokio_util::sync::CancellationToken;

const CALLERS: usize = 50;
const SESSIONS_PER_CALLER: usize = 1000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(base)?;
    println!("one fdatasync of 1 KiB    {}", percentiles(syncs(dir.path())?));
    for round in 0..3 {
        let (rate, latencies) = run(&dir.path().join(format!("alone{round}")), None).await?;
        println!("journal alone             {rate:>6.0} sessions/s   record {}", percentiles(latencies));
        let database = Database::Sqlite { path: dir.path().join(format!("{round}.db")) };
        let config = StoreConfig {
            database,
            master_key_file: dir.path().join(format!("{round}.key")),
            previous_master_key_files: Vec::new(),
            migrate: true,
        };
        let store = Store::open(config, now()).await?;
        let (rate, latencies) = run(&dir.path().join(format!("shipped{round}")), Some(store.clone())).await?;
        println!("beside shipping to SQLite {rate:>6.0} sessions/s   record {}", percentiles(latencies));
        store.close().await;
    }
    Ok(())
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// Each session is two records: its allow, waited for, and its end.
async fn run(dir: &Path, store: Option<Store>) -> Result<(f64, Vec<Duration>), Failure> {
    let (journal, _) = Journal::open(dir, NodeId::mint(now(), rand::random()))?;
    let stop = CancellationToken::new();
    if let Some(store) = store {
        let (journal, stop) = (journal.clone(), stop.clone());
        let sweep = Sweep { wait: Duration::ZERO, is_held: Box::new(|_| false) };
        tokio::spawn(async move { journal.ship(store, sweep, stop).await });
    }
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let journal = journal.clone();
        callers.spawn(async move { sessions(&journal).await });
    }
    let mut latencies = Vec::new();
    while let Some(done) = callers.join_next().await {
        latencies.extend(done??);
    }
    let took = began.elapsed().as_secs_f64();
    stop.cancel();
    #[expect(clippy::cast_precision_loss, reason = "a count of sessions")]
    let rate = latencies.len() as f64 / took;
    Ok((rate, latencies))
}

async fn sessions(journal: &Journal) -> Result<Vec<Duration>, Failure> {
    let scene = Scene::new(now());
    let mut latencies = Vec::with_capacity(SESSIONS_PER_CALLER);
    for _ in 0..SESSIONS_PER_CALLER {
        let permit = scene.permit();
        let began = Instant::now();
        let facts = SessionFacts { ingress: "client", connector: None, generation: 0, at: now() };
        let admitted = journal.record(permit, facts).await?;
        latencies.push(began.elapsed());
        let session = admitted.permit().session();
        journal.ended(SessionEnd {
            session,
            generation: 0,
            ended: Ended::Finished,
            bytes_up: 1,
            bytes_down: 1,
            at: now(),
        });
    }
    Ok(latencies)
}

fn syncs(dir: &Path) -> Result<Vec<Duration>, Failure> {
    let mut file = File::create(dir.join("syncs"))?;
    let mut latencies = Vec::new();
    for _ in 0..300 {
        file.write_all(&[7; 1024])?;
        let began = Instant::now();
        file.sync_data()?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn percentiles(mut latencies: Vec<Duration>) -> String {
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied().unwrap_or_default();
    let max = latencies.last().copied().unwrap_or_default();
    format!("p50 {:>8.2?}   p99 {:>8.2?}   max {max:>8.2?}", at(50), at(99))
}
