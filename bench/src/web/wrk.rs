//! `wrk`: as many requests as the other side answers.

use super::Way;
use anyhow::{Context, Result};
use postern_tests::tools;
use std::{path::Path, process::Stdio, time::Duration};

/// The name of an application is known to the gateway alone: the connection goes to loopback, the handshake has the name.
const RESOLVE: &str =
    "function wrk.resolve(host, service)\n  wrk.addrs = wrk.lookup(\"127.0.0.1\", service)\nend\n";

/// Requests a second with 64 connections of two threads.
pub(crate) async fn wrk(way: &Way, time: Duration, directory: &Path) -> Result<f64> {
    let script = directory.join("resolve.lua");
    std::fs::write(&script, RESOLVE)?;
    let mut wrk = tokio::process::Command::from(tools::command("wrk")?);
    wrk.args(["-t2", "-c64", &format!("-d{}s", time.as_secs()), "-s"]).arg(&script);
    if let Some(line) = way.cookie_line() {
        wrk.args(["-H", &line]);
    }
    let ran =
        wrk.arg(way.url("/")).stdin(Stdio::null()).kill_on_drop(true).output().await.context("start wrk")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    anyhow::ensure!(ran.status.success(), "wrk: {said}{}", String::from_utf8_lossy(&ran.stderr));
    rate(&said)
}

fn rate(said: &str) -> Result<f64> {
    let trouble = |line: &&str| line.contains("Non-2xx") || line.contains("Socket errors");
    if let Some(line) = said.lines().find(trouble) {
        anyhow::bail!("wrk met trouble: {}", line.trim());
    }
    let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.with_context(|| format!("wrk tells no rate: {said}"))?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_with_errors_in_it_is_none() {
        let good =
            "  79370 requests in 1.01s, 95.60MB read\nRequests/sec:  78888.31\nTransfer/sec:     95.02MB\n";
        assert!(rate(good).is_ok_and(|rate| (rate - 78_888.31).abs() < 0.001));
        assert!(rate(&format!("  Non-2xx or 3xx responses: 12\n{good}")).is_err());
        assert!(rate(&format!("  Socket errors: connect 0, read 3, write 0, timeout 0\n{good}")).is_err());
    }
}
