//! A Postgres server of our own: a fresh cluster in a temporary directory, on a loopback port, never as root.

use crate::process::{Process, Signal};
use crate::scratch::Scratch;
use crate::{tools, wait};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A fresh cluster needs this long on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A port that another process took in between is tried again.
const ATTEMPTS_MAX: u32 = 3;

/// A running server; dropping it ends it.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    data: PathBuf,
    port: u16,
    scratch: Scratch,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> Result<Self> {
        let scratch = Scratch::new("postgres")?;
        let data = scratch.directory("data")?;
        own(&data)?;
        let mut initdb = as_server(&tools::find("initdb").context("`initdb` is not on this machine")?);
        initdb.arg("--pgdata").arg(&data);
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        let output = initdb.current_dir("/").output().context("start initdb")?;
        anyhow::ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let mut attempt = 1;
        loop {
            let port = wait::free_port()?;
            match serve(&data, port, scratch.path()) {
                Ok(process) => return Ok(Self { process, data, port, scratch }),
                Err(error) if attempt >= ATTEMPTS_MAX => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Its loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it calls itself.
    pub fn version(&self) -> Result<String> {
        query(&self.url("postgres"), "show server_version").map(|version| format!("Postgres {version}"))
    }

    /// Kills it without notice.
    pub fn crash(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again, on the same port and data.
    pub fn restart(&mut self) -> Result<()> {
        if self.process.is_running() {
            self.process.stop(Signal::Int, READY_WITHIN)?;
        }
        // Backends of a killed server end by themselves, and the new one waits for none of them.
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            match serve(&self.data, self.port, self.scratch.path()) {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("Postgres did not start again")?)
    }

    /// Freezes every process of the server: it accepts connections and answers nothing.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends it in order.
    pub fn stop(mut self) -> Result<()> {
        self.process.stop(Signal::Int, READY_WITHIN)?;
        Ok(())
    }
}

/// A database of its own for one gateway, on the server that `cargo xtask test` runs.
///
/// Gives `None` if there is none: then a gateway keeps its store in a file.
pub fn database_of_the_run() -> Result<Option<String>> {
    if std::env::var("POSTERN_TEST_STORE").as_deref() == Ok("sqlite") {
        return Ok(None);
    }
    match std::env::var("POSTERN_TEST_POSTGRES") {
        Ok(server) if !server.is_empty() => fresh_database(&server).map(Some),
        _ => Ok(None),
    }
}

/// Makes a database with a name of its own on a server, and gives its address.
pub fn fresh_database(server: &str) -> Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    query(server, &format!("create database {name}"))?;
    let (base, _) = server.rsplit_once('/').context("a Postgres address names a database")?;
    Ok(format!("{base}/{name}"))
}

/// Runs one statement through psql and gives what it answers, unaligned.
pub fn query(url: &str, sql: &str) -> Result<String> {
    let output = tools::command("psql")?
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
        .args(["--command", sql, url])
        .output()
        .context("start psql")?;
    anyhow::ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

fn serve(data: &Path, port: u16, logs: &Path) -> Result<Process> {
    let mut server = as_server(&tools::find("postgres").context("`postgres` is not on this machine")?);
    server.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    server.args(["-c", "unix_socket_directories=", "-c", "max_connections=400", "-c", "fsync=off"]);
    server.args(["-c", "full_page_writes=off", "-c", "shared_buffers=64MB"]);
    server.current_dir("/");
    let mut process = Process::start("postgres", server, logs)?;
    let ready = wait::until("Postgres", READY_WITHIN, || {
        !process.is_running() || query(&url(port, "postgres"), "select 1").is_ok()
    });
    ready.with_context(|| process.log_tail())?;
    anyhow::ensure!(process.is_running(), "Postgres ended at once:\n{}", process.log_tail());
    Ok(process)
}

/// Postgres refuses to run as root: then it runs as the user that its package made.
fn as_server(program: &Path) -> Command {
    if !tools::am_root() {
        return Command::new(program);
    }
    let mut command = Command::new(tools::find("setpriv").unwrap_or_else(|| PathBuf::from("setpriv")));
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command.env("HOME", "/");
    command
}

fn own(directory: &Path) -> Result<()> {
    if tools::am_root() {
        let status = tools::command("chown")?.arg("postgres:postgres").arg(directory).status()?;
        anyhow::ensure!(status.success(), "chown {} ended with {status}", directory.display());
    }
    Ok(())
}
