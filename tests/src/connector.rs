//! A connector process: enrolled once, then run.

use crate::process::{Process, Signal};
use crate::wait;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// A connector of a test; dropping it kills its process.
#[derive(Debug)]
pub struct Connector {
    programs: PathBuf,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    configuration: Option<PathBuf>,
    process: Option<Process>,
}

impl Connector {
    /// Registers a new connector with an enrolment token; `allow` lists the targets that it may dial.
    pub fn enroll(programs: &Path, directory: &Path, token: &str, allow: &[&str]) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        let connector = Self::unregistered(programs, directory)?;
        let output = connector.try_enroll(token, allow)?;
        anyhow::ensure!(output.status.success(), "enroll: {}", String::from_utf8_lossy(&output.stderr));
        Ok(connector)
    }

    /// Registers, and gives whatever came of it.
    pub fn try_enroll(&self, token: &str, allow: &[&str]) -> Result<Output> {
        let file = self.directory.join("enrolment-token");
        fs::write(&file, token)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        let mut command = self.command()?;
        command.arg("enroll").arg("--token-file").arg(file);
        for target in allow {
            command.args(["--allow", target]);
        }
        command.output().context("start postern-connector enroll")
    }

    /// A connector that is not enrolled, for tests of that.
    pub fn unregistered(programs: &Path, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            programs: programs.to_path_buf(),
            directory: directory.to_path_buf(),
            environment: Vec::new(),
            configuration: None,
            process: None,
        })
    }

    /// Variables for the runs that follow.
    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a configuration file for the runs that follow.
    pub fn configure(&mut self, toml: &str) -> Result<()> {
        let file = self.directory.join("connector.toml");
        fs::write(&file, toml)?;
        self.configuration = Some(file);
        Ok(())
    }

    /// Runs it.
    pub fn run(&mut self) -> Result<()> {
        let mut command = self.command()?;
        command.arg("run");
        self.process = Some(Process::start("connector", command, &self.directory)?);
        Ok(())
    }

    /// Runs it through a wrapper such as `sh -c 'exec "$0" "$@"'`.
    pub fn run_wrapped(&mut self, wrapper: &[String]) -> Result<()> {
        let plain = self.command()?;
        let (program, arguments) = wrapper.split_first().context("an empty wrapper")?;
        let mut command = Command::new(program);
        command.args(arguments).arg(plain.get_program()).args(plain.get_args()).arg("run");
        command.env("HOME", &self.directory).current_dir(&self.directory);
        self.process = Some(Process::start("connector", command, &self.directory)?);
        Ok(())
    }

    /// Waits until it reports why it cannot reach its gateway.
    pub fn await_status_failure(&self, limit: Duration) -> Result<Duration> {
        wait::until("a failure in the connector's status", limit, || {
            self.status().is_ok_and(|status| status.to_string().contains("last_failure"))
        })
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its process, while it runs.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the connector was not started")
    }

    /// Kills it without notice.
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.kill()
    }

    /// Asks it to end.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        self.process()?.stop(Signal::Term, limit)?;
        Ok(())
    }

    /// What it says of itself.
    pub fn status(&self) -> Result<Value> {
        let output = self.command()?.args(["status", "--json"]).output()?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("status: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Waits until what it wrote contains a text.
    pub fn await_log(&self, text: &str, limit: Duration) -> Result<Duration> {
        wait::until(&format!("{text:?} in the connector's log"), limit, || self.log().contains(text))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new(self.programs.join("postern-connector"));
        command.arg("--state-dir").arg(self.directory.join("state"));
        if let Some(file) = &self.configuration {
            command.arg("--config").arg(file);
        }
        command.env("HOME", &self.directory).current_dir(&self.directory);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}
