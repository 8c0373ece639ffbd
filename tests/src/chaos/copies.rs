//! Copies with stock `scp`, one after the other, compared by their SHA-256.

use crate::{Client, Process, Ran, Sshd, tools, wait};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A copy that takes longer hangs: the slowest has 256 MiB at a few MiB a second.
const COPY_MAX: Duration = Duration::from_secs(600);

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the far side.
    Up,
    /// From there.
    Down,
}

/// What the copies of one direction came to.
#[derive(Debug, Clone, Default)]
pub struct Copied {
    /// Copies that ended well with the right sum.
    pub whole: u64,
    /// Copies that ended well with another sum.
    pub wrong: u64,
    /// Copies that did not end well, with what was said.
    pub failed: Vec<String>,
    /// Copies whose session was never opened: the gateway was down or without its connector at that moment, or lost it.
    pub not_opened: u64,
}

/// What the command says when there was no session yet, so that none can be lost.
const NOT_OPENED: &[&str] = &[
    "no connector of this site is online",
    // The connector's link broke while it was asked; a first Open that is refused is not repeated.
    "the link was lost before an answer came",
    "postern: could not connect to",
    "postern: TLS with",
    "postern: the connection broke during the upgrade",
    "cannot be reached",
];

impl Copied {
    /// Whether at least one copy came through, and none was lost or wrong.
    pub fn is_whole(&self) -> bool {
        self.whole > 0 && self.wrong == 0 && self.failed.is_empty()
    }
}

/// Copies until it is told to stop; the copy that runs then is finished.
#[derive(Debug)]
pub struct Copies {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<Copied>>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_stopping: AtomicBool,
    is_over: AtomicBool,
    started: AtomicU64,
    done: Mutex<Copied>,
}

/// What is copied, and with whose account.
#[derive(Debug, Clone)]
struct Job {
    client: Client,
    direction: Direction,
    original: PathBuf,
    copy: PathBuf,
    sum: String,
    /// Every second copy is held to so many Kbit/s, so that kills find it in each of its phases.
    limit_kbits: u64,
    logs: PathBuf,
}

impl Copies {
    /// Starts copying a random file of so many MiB through `bastion`, in a directory of its own.
    pub fn start(
        client: &Client,
        sshd: &Sshd,
        direction: Direction,
        mib: u64,
        directory: &Path,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let original = directory.join("original");
        random_file(&original, mib)?;
        client.ssh_configuration(sshd)?;
        let job = Job {
            client: client.clone(),
            direction,
            sum: sha256(&original)?,
            copy: directory.join("copy"),
            original,
            // About eight seconds for a copy.
            limit_kbits: mib * 1024,
            logs: directory.to_path_buf(),
        };
        let shared = Arc::new(Shared::default());
        let copying = Arc::clone(&shared);
        let sshd_configuration = client.ssh_configuration(sshd)?;
        let thread = std::thread::spawn(move || {
            let result = copying.run(&job, &sshd_configuration);
            copying.is_over.store(true, Ordering::SeqCst);
            result
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How many copies were begun.
    pub fn started(&self) -> u64 {
        self.shared.started.load(Ordering::SeqCst)
    }

    /// What came of those that ended.
    pub fn so_far(&self) -> Copied {
        self.shared.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the first copy runs.
    pub fn await_start(&self, limit: Duration) -> Result<()> {
        wait::until("the first copy", limit, || self.started() > 0)?;
        Ok(())
    }

    /// Lets the copy that runs end, and gives the accounts.
    pub fn finish(mut self) -> Result<Copied> {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        wait::until("the last copy", COPY_MAX, || self.shared.is_over.load(Ordering::SeqCst))?;
        let thread = self.thread.take().context("finished once")?;
        thread.join().map_err(|_| anyhow::anyhow!("the copying thread panicked"))?
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn run(&self, job: &Job, ssh_configuration: &Path) -> Result<Copied> {
        while !self.is_stopping.load(Ordering::SeqCst) {
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let ran = job.copy_once(number, ssh_configuration)?;
            let is_right = ran.code == 0 && sha256(&job.copy)? == job.sum;
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            if ran.code != 0 && NOT_OPENED.iter().any(|reason| ran.stderr.contains(reason)) {
                done.not_opened += 1;
            } else if ran.code != 0 {
                done.failed
                    .push(format!("{:?} copy {number}: exit {}: {}", job.direction, ran.code, ran.stderr));
            } else if is_right {
                done.whole += 1;
            } else {
                done.wrong += 1;
            }
        }
        Ok(self.done.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Job {
    fn copy_once(&self, number: u64, ssh_configuration: &Path) -> Result<Ran> {
        if self.copy.exists() {
            fs::remove_file(&self.copy)?;
        }
        let mut scp = self.client.dressed("scp")?;
        scp.arg("-F").arg(ssh_configuration).arg("-q");
        if number.is_multiple_of(2) {
            scp.args(["-l", &self.limit_kbits.to_string()]);
        }
        let far = |path: &Path| format!("bastion:{}", path.display());
        match self.direction {
            Direction::Up => scp.arg(&self.original).arg(far(&self.copy)),
            Direction::Down => scp.arg(far(&self.original)).arg(&self.copy),
        };
        let log_before = fs::read_to_string(self.logs.join("scp.log")).unwrap_or_default().len();
        let mut process = Process::start("scp", scp, &self.logs)?;
        let status = process.wait(COPY_MAX)?;
        let said = process.log().get(log_before..).unwrap_or_default().to_owned();
        Ok(Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: said })
    }
}

/// Writes so many MiB of noise.
pub fn random_file(path: &Path, mib: u64) -> Result<()> {
    let mut source = File::open("/dev/urandom")?.take(mib << 20);
    std::io::copy(&mut source, &mut File::create(path)?)?;
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let output = tools::command("sha256sum")?.arg(path).output()?;
    anyhow::ensure!(output.status.success(), "sha256sum: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.split(' ').next().unwrap_or_default().to_owned())
}
