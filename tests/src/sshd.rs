//! A private sshd on a loopback port: own host key, one authorized key, the configuration of an ordinary user.

use crate::process::Process;
use crate::{tools, wait};
use anyhow::{Context, Result};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(10);
const ATTEMPTS_MAX: u32 = 3;

/// A running sshd; dropping it ends it.
#[derive(Debug)]
pub struct Sshd {
    process: Process,
    port: u16,
    directory: PathBuf,
    user: String,
}

impl Sshd {
    /// Makes keys and configuration in `directory` and starts it.
    pub fn start(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let user = user()?;
        for name in ["host_key", "user_key"] {
            keygen(&directory.join(name))?;
        }
        fs::copy(directory.join("user_key.pub"), directory.join("authorized_keys"))?;
        if tools::am_root() {
            // Where Debian's sshd keeps its unprivileged half; usually made by the service's unit.
            fs::create_dir_all("/run/sshd").context("make /run/sshd")?;
        }
        let mut attempt = 1;
        loop {
            let port = wait::free_port()?;
            match serve(directory, port) {
                Ok(process) => return Ok(Self { process, port, directory: directory.to_path_buf(), user }),
                Err(error) if attempt >= ATTEMPTS_MAX => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    /// Its loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whom it lets in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key that it accepts.
    pub fn user_key(&self) -> PathBuf {
        self.directory.join("user_key")
    }

    /// Its public host key: kind and base64, without the comment.
    pub fn host_key(&self) -> Result<String> {
        let line = fs::read_to_string(self.directory.join("host_key.pub"))?;
        Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// How many connections reached it; the harness's own knocking is not counted.
    pub fn connections(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Connection from ")).count().saturating_sub(1)
    }

    /// How many people it let in.
    pub fn accepted(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted publickey")).count()
    }

    /// Kills the listening process; sessions that it already serves live on.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }
}

fn serve(directory: &Path, port: u16) -> Result<Process> {
    let show = |name: &str| directory.join(name).display().to_string();
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
         StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         MaxStartups 200\nMaxSessions 200\nLogLevel VERBOSE\nPrintMotd no\nSubsystem sftp internal-sftp\n",
        show("host_key"),
        show("authorized_keys"),
    );
    let file = directory.join("sshd_config");
    fs::write(&file, configuration)?;
    let mut sshd = tools::command("sshd")?;
    sshd.args(["-D", "-e", "-f"]).arg(&file);
    let mut process = Process::start("sshd", sshd, directory)?;
    wait::until("sshd", READY_WITHIN, || {
        !process.is_running() || (process.log().contains("Server listening") && knock(port))
    })
    .with_context(|| process.log_tail())?;
    anyhow::ensure!(process.is_running(), "sshd ended at once:\n{}", process.log_tail());
    Ok(process)
}

fn knock(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn keygen(file: &Path) -> Result<()> {
    let output = tools::command("ssh-keygen")?
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "postern-test", "-f"])
        .arg(file)
        .output()
        .context("start ssh-keygen")?;
    anyhow::ensure!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn user() -> Result<String> {
    let output = tools::command("id")?.arg("-un").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
