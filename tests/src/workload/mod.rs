//! Checked load: numbered, summed records to an echo and back, so that each lost, doubled or moved byte is seen, and each stall.

mod ledger;
mod progress;
mod record;
mod witness;

pub use ledger::{Ledger, Tally};
pub use witness::{Seen, Witness};

use crate::client::Client;
use crate::process::{Signal, bound_to_us, send_signal};
use crate::wait;
use anyhow::{Context, Result};
use progress::Progress;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much is sent, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The payload of each record.
    pub record_bytes: usize,
    /// The pause between two records; none for as fast as it goes.
    pub every: Duration,
}

impl Pace {
    /// A person typing, quickly: small records, close enough to measure a stall with.
    pub const TYPING: Self = Self { record_bytes: 64, every: Duration::from_millis(10) };

    /// As fast as it goes.
    pub const BULK: Self = Self { record_bytes: 32 * 1024, every: Duration::ZERO };
}

/// A running load.
#[derive(Debug)]
pub struct Workload {
    number: u64,
    carrier: Carrier,
    progress: Arc<Progress>,
    threads: Vec<JoinHandle<()>>,
}

/// What carries the bytes to the gateway.
#[derive(Debug)]
enum Carrier {
    /// `postern proxy`, with what it said.
    Proxy { child: Child, said: PathBuf },
    /// A connection to a port of `postern forward`.
    Forward(TcpStream),
}

/// How a load ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its number.
    pub number: u64,
    /// Records sent.
    pub sent: u64,
    /// The accounts of what came back.
    pub tally: Tally,
    /// Bytes of a last record that did not come whole.
    pub cut_off: usize,
    /// The exit code of the command, if a command carried it; -1 if a signal ended it.
    pub code: Option<i32>,
    /// What the command wrote to standard error.
    pub said: String,
    /// The longest time in which nothing came back.
    pub longest_gap: Duration,
}

impl Outcome {
    /// Whether it ended in order and every record came back once, in order.
    pub fn is_whole(&self) -> bool {
        self.tally.is_clean()
            && self.tally.records == self.sent
            && self.cut_off == 0
            && self.code.is_none_or(|code| code == 0)
    }

    /// An error that tells everything, unless it is whole.
    pub fn expect_whole(&self) -> Result<()> {
        anyhow::ensure!(self.is_whole(), "a load did not come through whole: {self:?}");
        Ok(())
    }
}

impl Workload {
    /// Runs through `postern proxy`; what that says goes to a file in `directory`. `number` tells loads apart.
    pub fn proxied(
        client: &Client,
        resource: &str,
        pace: Pace,
        number: u64,
        directory: &Path,
    ) -> Result<Self> {
        let said = directory.join(format!("load-{number}.log"));
        let mut command = bound_to_us(client.postern(&["proxy", resource]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&said)?);
        let mut child = command.spawn().context("start postern proxy")?;
        let input = child.stdin.take().context("a pipe")?;
        let output = child.stdout.take().context("a pipe")?;
        let progress = Arc::new(Progress::new());
        // Dropping the pipe is the half-close.
        let threads = spawn(&progress, pace, number, input, drop, output);
        Ok(Self { number, carrier: Carrier::Proxy { child, said }, progress, threads })
    }

    /// Runs over a connection to a forwarded port.
    pub fn forwarded(stream: TcpStream, pace: Pace, number: u64) -> Result<Self> {
        stream.set_nodelay(true)?;
        let progress = Arc::new(Progress::new());
        let half_close = |stream: TcpStream| drop(stream.shutdown(Shutdown::Write));
        let threads = spawn(&progress, pace, number, stream.try_clone()?, half_close, stream.try_clone()?);
        Ok(Self { number, carrier: Carrier::Forward(stream), progress, threads })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether records can still come back.
    pub fn is_running(&self) -> bool {
        !self.progress.is_over()
    }

    /// Records that came back.
    pub fn echoed(&self) -> u64 {
        self.progress.tally().records
    }

    /// Signals the command that carries it.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match &self.carrier {
            Carrier::Proxy { child, .. } => send_signal(child.id(), signal),
            Carrier::Forward(_) => anyhow::bail!("no process carries this load alone"),
        }
    }

    /// Waits until a record that is sent from now on has come back.
    pub fn await_progress(&self, limit: Duration) -> Result<Duration> {
        let after = self.progress.sent() + 1;
        let what = format!("record {after} of load {}", self.number);
        let took = wait::until(&what, limit, || self.echoed() >= after || !self.is_running())?;
        anyhow::ensure!(self.is_running(), "load {} ended: {}", self.number, self.said());
        Ok(took)
    }

    /// The longest time in which nothing came back, of those that reach beyond `since`.
    pub fn longest_gap(&self, since: Instant) -> Duration {
        self.progress.longest_gap(since, Instant::now())
    }

    /// What the command said so far.
    pub fn said(&self) -> String {
        match &self.carrier {
            Carrier::Proxy { said, .. } => std::fs::read_to_string(said).unwrap_or_default(),
            Carrier::Forward(_) => String::new(),
        }
    }

    /// Waits for the load to be ended by the other side.
    pub fn await_end(&self, limit: Duration) -> Result<Duration> {
        wait::until(&format!("the end of load {}", self.number), limit, || !self.is_running())
    }

    /// Sends nothing more, and waits for the rest to come back and for the end.
    pub fn finish(mut self, limit: Duration) -> Result<Outcome> {
        self.progress.stop();
        let over =
            wait::until("the rest of a load", limit, || self.threads.iter().all(JoinHandle::is_finished));
        let code = match &mut self.carrier {
            Carrier::Proxy { child, .. } => Some(exit_code(child, limit)?),
            Carrier::Forward(stream) => {
                let _ = stream.shutdown(Shutdown::Both);
                None
            }
        };
        let outcome = self.progress.outcome(self.number, code, self.said());
        over.with_context(|| format!("{outcome:?}"))?;
        Ok(outcome)
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.progress.stop();
        match &mut self.carrier {
            Carrier::Proxy { child, .. } => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Carrier::Forward(stream) => drop(stream.shutdown(Shutdown::Both)),
        }
    }
}

/// The end of a command whose output is at its end; one that stays is killed.
fn exit_code(child: &mut Child, limit: Duration) -> Result<i32> {
    let ended = wait::eventually("the exit of postern proxy", limit, || child.try_wait().ok().flatten());
    let Ok((status, _)) = ended else {
        child.kill()?;
        child.wait()?;
        anyhow::bail!("postern proxy did not end within {limit:?}");
    };
    Ok(status.code().unwrap_or(-1))
}

fn spawn<W: Write + Send + 'static>(
    progress: &Arc<Progress>,
    pace: Pace,
    number: u64,
    input: W,
    half_close: impl FnOnce(W) + Send + 'static,
    output: impl Read + Send + 'static,
) -> Vec<JoinHandle<()>> {
    let (sending, receiving) = (Arc::clone(progress), Arc::clone(progress));
    let sender = std::thread::spawn(move || half_close(sending.send_all(pace, number, input)));
    let receiver = std::thread::spawn(move || receiving.receive_all(output));
    vec![sender, receiver]
}
