//! Roles as child processes, and what the kernel says about them.

use anyhow::{Context, Result, bail};
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time,
};

const READY_MAX: Duration = Duration::from_secs(20);

/// Runs a serving role until the parent goes away: no child outlives a broken run.
pub(crate) async fn until_stdin_closes(serve: impl Future<Output = Result<()>>) -> Result<()> {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 64];
    let parent_gone = async { while stdin.read(&mut ignored).await.is_ok_and(|length| length > 0) {} };
    tokio::select! {
        served = serve => served,
        () = parent_gone => Ok(()),
    }
}

/// Tells the parent where this role listens.
pub(crate) fn ready(address: SocketAddr) {
    println!("ready {address}");
}

/// A role that runs beside us; killed when dropped.
pub(crate) struct Role {
    pub(crate) name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Role {
    /// Starts this program in another role.
    pub(crate) fn start(name: &'static str, args: &[&str]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let args: Vec<OsString> = name.split(' ').chain(args.iter().copied()).map(OsString::from).collect();
        let mut child = Command::new(&program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {name} ({})", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a piped stdout")?;
        Ok(Self { name, child, stdin, lines: BufReader::new(stdout).lines() })
    }

    /// Waits until it listens.
    pub(crate) async fn address(&mut self) -> Result<SocketAddr> {
        let line = self.line().await?;
        let address = line.strip_prefix("ready ").with_context(|| format!("{} said {line:?}", self.name))?;
        Ok(address.parse()?)
    }

    /// The next line of its output.
    pub(crate) async fn line(&mut self) -> Result<String> {
        time::timeout(READY_MAX, self.lines.next_line())
            .await
            .with_context(|| format!("{} says nothing", self.name))??
            .with_context(|| format!("{} ended", self.name))
    }

    /// Sends a line to it.
    pub(crate) async fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its stdin is open")?;
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(stdin.flush().await?)
    }

    /// Waits for its end and gives its last line as JSON.
    pub(crate) async fn result<T: serde::de::DeserializeOwned>(mut self, limit: Duration) -> Result<T> {
        let finished = async {
            let mut last = String::new();
            while let Some(line) = self.lines.next_line().await? {
                last = line;
            }
            let status = self.child.wait().await?;
            if !status.success() {
                bail!("{} failed: {status}", self.name);
            }
            Ok(last)
        };
        let line =
            time::timeout(limit, finished).await.with_context(|| format!("{} does not end", self.name))??;
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name))
    }

    /// What the kernel says about it.
    pub(crate) fn sample(&self) -> Result<Sample> {
        Ok(Sample::of(self.child.id().with_context(|| format!("{} has ended", self.name))?))
    }
}

/// A process as the kernel counts it.
#[derive(Debug, Clone)]
pub(crate) struct Sample(PathBuf);

impl Sample {
    pub(crate) fn of(pid: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{pid}")))
    }

    /// CPU time of all its threads so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut nanos = 0u64;
        for task in std::fs::read_dir(self.0.join("task"))? {
            // A thread may end between the listing and the reading.
            if let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) {
                nanos += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Ok(nanos as f64 / 1e9)
    }

    /// Its share of memory in KiB: pages shared with others count in parts.
    pub(crate) fn pss_kib(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.0.join("smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("a Pss line")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }

    /// All its memory in KiB, cheap to ask.
    pub(crate) fn rss_kib(&self) -> Result<f64> {
        let text = std::fs::read_to_string(self.0.join("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a VmRSS line")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }
}
