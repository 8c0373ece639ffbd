//! A gateway process: its configuration, its life, its restarts on the same port.

use crate::curl::Browser;
use crate::process::{Process, Signal};
use crate::{postgres, wait};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A gateway on a busy machine is there within this, schema and keys included.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// What a test asks of a gateway beyond the defaults.
#[derive(Debug, Clone, Default)]
pub struct GatewayOptions {
    /// Where the store is: a Postgres address, or `None` for the embedded one.
    pub store: Option<String>,
    /// Settings as `limits.opens_burst=800`.
    pub set: Vec<String>,
    /// The host in the public URL; the loopback address if there is none.
    pub host: Option<String>,
    /// Another public URL altogether, such as that of a proxy in front.
    pub public_url: Option<String>,
    /// The addresses at which clients and connectors are told to dial; none for the public URL alone.
    pub gateways: Vec<String>,
    /// The address that it listens on; the loopback address if there is none.
    pub listen: Option<String>,
    /// The master key of another gateway on the same store.
    pub master_key: Option<PathBuf>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Another place for the state directory, such as a small file system.
    pub state: Option<PathBuf>,
}

impl GatewayOptions {
    /// A store as this run wants it: a database of its own on the run's Postgres, or the embedded one.
    pub fn of_the_run() -> Result<Self> {
        Ok(Self { store: postgres::database_of_the_run()?, ..Self::default() })
    }

    /// The embedded store, whatever the run uses.
    pub fn embedded() -> Self {
        Self::default()
    }

    /// With one more setting.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.set.push(format!("{key}={value}"));
        self
    }
}

/// A running gateway; dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    directory: PathBuf,
    state: PathBuf,
    options: GatewayOptions,
    programs: PathBuf,
    url: String,
    public: String,
    internal: String,
}

impl Gateway {
    /// Starts one out of the directory `programs` that keeps everything in `directory`, on ports from the kernel.
    pub fn start(programs: &Path, directory: &Path, options: &GatewayOptions) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let state = options.state.clone().unwrap_or_else(|| directory.join("state"));
        fs::create_dir_all(&state)?;
        fs::set_permissions(&state, Permissions::from_mode(0o700))?;
        if options.store.is_some() {
            let key = directory.join("master.key");
            match &options.master_key {
                Some(shared) => drop(fs::copy(shared, key)?),
                None => write_master_key(&key)?,
            }
        }
        let listen = Listen {
            public: format!("{}:0", options.listen.as_deref().unwrap_or("127.0.0.1")),
            internal: "127.0.0.1:0".to_owned(),
        };
        write_configuration(directory, &state, options, &listen)?;
        let mut process = launch(programs, directory, options)?;
        let addresses = await_addresses(&mut process, &state)?;
        Ok(Self {
            process,
            directory: directory.to_path_buf(),
            state,
            options: options.clone(),
            programs: programs.to_path_buf(),
            url: text(&addresses, "public_url")?,
            public: text(&addresses, "public")?,
            internal: text(&addresses, "internal")?,
        })
    }

    /// The URL that people use, without a slash at the end.
    pub fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// The public listener, as `address:port`.
    pub fn public_address(&self) -> &str {
        &self.public
    }

    /// Its own certificate authority.
    pub fn authority(&self) -> PathBuf {
        self.state.join("ca.pem")
    }

    /// The file with the token that makes the first owner.
    pub fn bootstrap_file(&self) -> PathBuf {
        self.state.join("bootstrap-token")
    }

    /// The file with its master key, if its store is shared.
    pub fn master_key(&self) -> PathBuf {
        self.directory.join("master.key")
    }

    /// Makes another master key beside its own.
    pub fn make_master_key(&self) -> Result<PathBuf> {
        let path = self.directory.join("another.key");
        write_master_key(&path)?;
        Ok(path)
    }

    /// Where it keeps its state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The address of its store, if it is not the embedded one.
    pub fn store_url(&self) -> Option<&str> {
        self.options.store.as_deref()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("gateway.toml")
    }

    /// Tells it to read its configuration again.
    pub fn reload(&self) -> Result<()> {
        self.process.signal(Signal::Hup)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A user agent that trusts it; its cookies lie in `directory`.
    pub fn browser(&self, directory: &Path) -> Browser {
        Browser::new(&self.authority(), directory)
    }

    /// The status of a page of its internal listener, such as `/readyz`, with the body.
    pub fn internal(&self, path: &str) -> Result<(u16, String)> {
        let url = format!("http://{}{path}", self.internal);
        let answer = Browser::new(&self.authority(), &self.directory).get(&url)?;
        Ok((answer.status, answer.body))
    }

    /// The value of a counter or gauge whose line begins with `name`, summed over its labels.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let (_, page) = self.internal("/metrics")?;
        let lines = page.lines().filter(|line| line.starts_with(name));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Is it ready for new work?
    pub fn is_ready(&self) -> bool {
        self.internal("/readyz").is_ok_and(|(status, _)| status == 200)
    }

    /// Kills it without notice.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again on the same ports and state; kills it first if it still runs.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        let listen = Listen { public: self.public.clone(), internal: self.internal.clone() };
        write_configuration(&self.directory, &self.state, &self.options, &listen)?;
        let announced = self.state.join("addresses.json");
        if announced.exists() {
            fs::remove_file(announced)?;
        }
        self.process = launch(&self.programs, &self.directory, &self.options)?;
        await_addresses(&mut self.process, &self.state)?;
        Ok(())
    }

    /// Asks it to drain and end.
    pub fn stop(&mut self, limit: Duration) -> Result<std::process::ExitStatus> {
        self.process.stop(Signal::Term, limit)
    }
}

struct Listen {
    public: String,
    internal: String,
}

fn write_configuration(
    directory: &Path,
    state: &Path,
    options: &GatewayOptions,
    listen: &Listen,
) -> Result<()> {
    let mut file =
        format!("public_url = \"{}\"\nstate_dir = \"{}\"\n", public_url(options, listen), state.display());
    if !options.gateways.is_empty() {
        writeln!(file, "gateways = {:?}", options.gateways)?;
    }
    if options.store.is_some() {
        writeln!(file, "master_key_file = \"{}\"", directory.join("master.key").display())?;
    }
    writeln!(file, "[listen]\naddress = \"{}\"", listen.public)?;
    writeln!(file, "[internal]\naddress = \"{}\"", listen.internal)?;
    if let Some(url) = &options.store {
        writeln!(file, "[store]\nurl = \"{url}\"")?;
    }
    let path = directory.join("gateway.toml");
    fs::write(&path, file)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(())
}

fn public_url(options: &GatewayOptions, listen: &Listen) -> String {
    let port = listen.public.rsplit(':').next().unwrap_or("0");
    let host = options.host.as_deref().unwrap_or("127.0.0.1");
    options.public_url.clone().unwrap_or_else(|| format!("https://{host}:{port}"))
}

fn launch(programs: &Path, directory: &Path, options: &GatewayOptions) -> Result<Process> {
    let mut command = Command::new(programs.join("postern-gateway"));
    command.arg("serve").arg("--config").arg(directory.join("gateway.toml"));
    for setting in &options.set {
        command.args(["--set", setting]);
    }
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir(directory);
    Process::start("gateway", command, directory)
}

fn await_addresses(process: &mut Process, state: &Path) -> Result<Value> {
    let file = state.join("addresses.json");
    let (addresses, _) = wait::eventually("the gateway's listeners", READY_WITHIN, || {
        if !process.is_running() {
            return Some(Value::Null);
        }
        serde_json::from_slice(&fs::read(&file).ok()?).ok()
    })
    .with_context(|| process.log_tail())?;
    anyhow::ensure!(!addresses.is_null(), "the gateway ended at once:\n{}", process.log_tail());
    Ok(addresses)
}

fn text(addresses: &Value, key: &str) -> Result<String> {
    Ok(addresses[key].as_str().with_context(|| format!("addresses.json names no {key}"))?.to_owned())
}

/// A master key as an operator makes one for a shared store: with the line of the manual.
fn write_master_key(path: &Path) -> Result<()> {
    const LINE: &str =
        "printf 'postern-master-key-v1:%s\\n' \"$(head -c 32 /dev/urandom | basenc --base64url | tr -d =)\"";
    if path.exists() {
        return Ok(());
    }
    let made = Command::new("sh").args(["-c", LINE]).output().context("sh")?;
    anyhow::ensure!(made.status.success(), "sh: {}", String::from_utf8_lossy(&made.stderr));
    fs::write(path, made.stdout)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(())
}
