//! `h2load`: requests at a given rate, whether or not the answers keep up.

use super::Way;
use crate::stats::Summary;
use anyhow::{Context, Result};
use postern_tests::tools;
use std::{path::Path, process::Stdio, time::Duration};

/// Each sends at its own beat; they begin a millisecond apart, so that requests do not come in bursts of all.
const CONNECTIONS: usize = 16;
/// The part of the requests, from the first on, that warms the path up.
const WARM_UP: usize = 10;

/// Latencies in milliseconds at `rate` requests a second over HTTP/1.1.
pub(crate) async fn h2load(way: &Way, rate: f64, time: Duration, directory: &Path) -> Result<Summary> {
    let log = directory.join("h2load.log");
    let _ = std::fs::remove_file(&log);
    let mut h2load = tokio::process::Command::from(tools::command("h2load")?);
    h2load.args(["--h1", "--threads=1", "--rate=1", "--rate-period=1ms"]);
    h2load.arg(format!("--clients={CONNECTIONS}")).arg(format!("--connect-to={}", way.address));
    h2load.arg(format!("--rps={:.2}", rate / CONNECTIONS as f64));
    h2load.arg(format!("--requests={:.0}", rate * time.as_secs_f64()));
    h2load.arg("--log-file").arg(&log);
    if let Some(line) = way.cookie_line() {
        h2load.arg("--header").arg(line);
    }
    h2load.arg(way.url("/")).stdin(Stdio::null()).kill_on_drop(true);
    let ran = h2load.output().await.context("start h2load")?;
    anyhow::ensure!(
        ran.status.success(),
        "h2load: {}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    Ok(Summary::of(latencies(&std::fs::read_to_string(&log)?)?))
}

/// The log has a line for each request: when it began in µs, the status, and how many µs it took.
fn latencies(log: &str) -> Result<Vec<f64>> {
    let mut requests = Vec::new();
    for line in log.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [began, "200", took, ..] = fields[..] else { anyhow::bail!("a request failed: {line:?}") };
        requests.push((began.parse::<u64>()?, took.parse::<f64>()? / 1e3));
    }
    anyhow::ensure!(!requests.is_empty(), "h2load sent nothing");
    requests.sort_by_key(|(began, _)| *began);
    Ok(requests.iter().skip(requests.len() / WARM_UP).map(|(_, took)| *took).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_requests_warm_up_and_a_failed_one_spoils_all() {
        let line = |n: u64| format!("{}\t200\t{}\n", 1_000 + n, if n == 1 { 900_000 } else { 1_500 });
        let log: String = (1..=10).rev().map(line).collect();
        assert!(latencies(&log).is_ok_and(|all| all == [1.5; 9]));
        assert!(latencies(&format!("{log}7\t502\t80\n")).is_err());
        assert!(latencies("").is_err());
    }
}
