//! A child process with a log, ended by its own pid.

use crate::{tools, wait};
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// What to tell a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask it to end.
    Term,
    /// The polite stop of a terminal; the fast stop of Postgres.
    Int,
    /// Reload.
    Hup,
    /// Freeze.
    Stop,
    /// Go on.
    Cont,
}

impl Signal {
    fn flag(self) -> &'static str {
        match self {
            Self::Term => "-TERM",
            Self::Int => "-INT",
            Self::Hup => "-HUP",
            Self::Stop => "-STOP",
            Self::Cont => "-CONT",
        }
    }
}

/// A running program of a test. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// So much of a log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

impl Process {
    /// Starts a command; what it writes goes to `<name>.log` in `directory`, after what is there already.
    pub fn start(name: &str, command: Command, directory: &Path) -> Result<Self> {
        Self::start_with(name, command, directory, Stdio::null())
    }

    /// The same, with a standard input that stays open and silent.
    pub fn start_with_open_input(name: &str, command: Command, directory: &Path) -> Result<Self> {
        Self::start_with(name, command, directory, Stdio::piped())
    }

    fn start_with(name: &str, command: Command, directory: &Path, input: Stdio) -> Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let file: File = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = bound_to_us(command);
        command.stdin(input).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {name} ({:?})", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Is it still there?
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send_signal(self.pid(), signal).with_context(|| format!("signal {}", self.name))
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        if self.is_running() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }

    /// Types a line into the standard input that stays open.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        let name = &self.name;
        let input = self.child.stdin.as_mut().with_context(|| format!("{name} has no open input"))?;
        writeln!(input, "{line}").with_context(|| format!("type to {name}"))
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        let (status, _) =
            wait::eventually(&format!("the end of {name}"), limit, || self.child.try_wait().ok().flatten())?;
        Ok(status)
    }

    /// Asks it to end and waits.
    pub fn stop(&mut self, signal: Signal, limit: Duration) -> Result<ExitStatus> {
        self.signal(signal)?;
        self.wait(limit)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of what it wrote.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kill().is_err() {
            eprintln!("{} (pid {}) would not be killed", self.name, self.pid());
        }
    }
}

/// Sends a signal to a process that the caller started.
pub(crate) fn send_signal(pid: u32, signal: Signal) -> Result<()> {
    let status = tools::command("kill")?.arg(signal.flag()).arg(pid.to_string()).status()?;
    anyhow::ensure!(status.success(), "kill {} {pid} ended with {status}", signal.flag());
    Ok(())
}

/// The same command, ended by the kernel when the thread that started it is gone: nothing outlives a killed test.
pub(crate) fn bound_to_us(command: Command) -> Command {
    let Some(setpriv) = tools::find("setpriv") else { return command };
    let mut bound = Command::new(setpriv);
    bound.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        bound.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, OsString::from(value)),
            None => bound.env_remove(name),
        };
    }
    bound
}
