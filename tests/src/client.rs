//! A person at a machine of their own: the command `postern` with its own home, and stock OpenSSH through it.

use crate::curl::Browser;
use crate::gateway::Gateway;
use crate::idp::Idp;
use crate::namespace::Namespace;
use crate::opened::{OpenedBrowser, complete_lines};
use crate::pages::{Walk, approve};
use crate::process::Process;
use crate::sshd::Sshd;
use crate::{tools, wait};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A sign-in with a form, on a busy machine.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(30);

/// A home directory and the commands run from it.
#[derive(Debug, Clone)]
pub struct Client {
    home: PathBuf,
    environment: Vec<(String, String)>,
    /// A program and arguments that start the commands somewhere else, such as in a network namespace.
    wrapper: Vec<String>,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// Itself, if it ended with this code.
    pub fn expect(self, code: i32) -> Result<Self> {
        anyhow::ensure!(
            self.code == code,
            "expected exit {code}, got {}:\n{}{}",
            self.code,
            self.stdout,
            self.stderr
        );
        Ok(self)
    }

    /// Its standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {:?}", self.stdout))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Client {
    /// A person with a new home.
    pub fn new(programs: &Path, home: &Path) -> Result<Self> {
        fs::create_dir_all(home.join("bin"))?;
        fs::set_permissions(home, Permissions::from_mode(0o700))?;
        std::os::unix::fs::symlink(programs.join("postern"), home.join("bin/postern"))?;
        Ok(Self { home: home.to_path_buf(), environment: Vec::new(), wrapper: Vec::new() })
    }

    /// The same home with one more variable.
    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same home at a machine of its own: its commands see only the network of a namespace.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.wrapper = namespace.wrapper();
        self
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `postern` with this person's home.
    pub fn postern(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.home.join("bin/postern"));
        command.args(arguments);
        self.dress(&mut command);
        command
    }

    /// Runs `postern` and waits.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let output = self.postern(arguments).stdin(Stdio::null()).output().context("start postern")?;
        Ok(output.into())
    }

    /// Runs `postern` and gives its JSON; anything but success is an error.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        self.run(&all)?.expect(0)?.json()
    }

    /// Applies declarative documents.
    pub fn apply(&self, documents: &str) -> Result<Ran> {
        let file = self.home.join("apply.yaml");
        fs::write(&file, documents)?;
        self.run(&["apply", "--yes", "-f", &file.display().to_string()])
    }

    /// Becomes the first owner.
    pub fn bootstrap(&self, gateway: &Gateway, name: &str, password: &str) -> Result<Ran> {
        let password_file = self.write_secret("password", password)?;
        self.run(&[
            "login",
            "--gateway",
            gateway.url(),
            "--ca-file",
            &gateway.authority().display().to_string(),
            "--bootstrap-file",
            &gateway.bootstrap_file().display().to_string(),
            "--username",
            name,
            "--password-file",
            &password_file.display().to_string(),
        ])
    }

    /// Signs in with the device flow: the command prints an address and a code, the form is submitted over HTTP.
    pub fn sign_in(&self, gateway: &Gateway, name: &str, password: &str) -> Result<()> {
        let mut command = self.postern(&["login", "--gateway", gateway.url(), "--headless", "--ca-file"]);
        command.arg(gateway.authority());
        let mut login = Process::start("login", command, &self.home)?;
        let before = login.log().len();
        let prompt = wait::eventually("the address of the device page", SIGN_IN_WITHIN, || {
            let log = login.log();
            complete_lines(log.get(before..)?)
                .split_whitespace()
                .find(|word| word.contains("/device?"))
                .map(str::to_owned)
        });
        let (address, _) = prompt.with_context(|| login.log_tail())?;
        approve(&gateway.browser(&self.home), &address, name, password)?;
        let status = login.wait(SIGN_IN_WITHIN)?;
        anyhow::ensure!(status.success(), "login ended with {status}:\n{}", login.log_tail());
        Ok(())
    }

    /// Signs in with the browser of the same machine: the command opens an address, the form is submitted over HTTP, and the
    /// last redirect leads back to the command.
    pub fn sign_in_with_browser(&self, gateway: &Gateway, name: &str, password: &str) -> Result<()> {
        let browser = gateway.browser(&self.home);
        self.come_back(gateway, &Walk::new(&browser, name, password))
    }

    /// The same at an identity provider, which the gateway knows by `link`.
    pub fn sign_in_through(
        &self,
        gateway: &Gateway,
        idp: &Idp,
        link: &str,
        (name, password): (&str, &str),
    ) -> Result<()> {
        let authorities = self.home.join("authorities.pem");
        let both = [fs::read(gateway.authority())?, fs::read(idp.certificate())?].concat();
        fs::write(&authorities, both)?;
        let browser = Browser::new(&authorities, &self.home);
        self.come_back(gateway, &Walk::new(&browser, name, password).through(link, idp.issuer()))
    }

    fn come_back(&self, gateway: &Gateway, walk: &Walk<'_>) -> Result<()> {
        let browser = OpenedBrowser::install(&self.home)?;
        let mut command = self.postern(&["login", "--gateway", gateway.url(), "--ca-file"]);
        command.arg(gateway.authority()).env("DISPLAY", ":0");
        let mut login = Process::start("login", command, &self.home)?;
        let address = browser.address(SIGN_IN_WITHIN).with_context(|| login.log_tail())?;
        let back = walk.follow(&address)?;
        anyhow::ensure!(back.starts_with("http://127.0.0.1:"), "the sign-in led to {back}");
        walk.browser().get(&back)?;
        let status = login.wait(SIGN_IN_WITHIN)?;
        anyhow::ensure!(status.success(), "login ended with {status}:\n{}", login.log_tail());
        Ok(())
    }

    /// A program of the machine that runs with this person's home and environment.
    pub fn dressed(&self, program: &str) -> Result<Command> {
        let mut command = tools::command(program)?;
        self.dress(&mut command);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// A stock OpenSSH program whose way to hosts named after resources leads through `postern proxy`.
    pub fn openssh(&self, program: &str, sshd: &Sshd) -> Result<Command> {
        let found = tools::find(program).with_context(|| format!("`{program}` is not on this machine"))?;
        let mut command = self.command(&found);
        command.arg("-F").arg(self.ssh_configuration(sshd)?);
        self.dress(&mut command);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `ssh` to a resource.
    pub fn ssh(&self, sshd: &Sshd, resource: &str, command: &str) -> Result<Ran> {
        Ok(self.openssh("ssh", sshd)?.args([resource, command]).output().context("start ssh")?.into())
    }

    /// Writes the configuration that this person's OpenSSH uses for every host.
    pub fn ssh_configuration(&self, sshd: &Sshd) -> Result<PathBuf> {
        let file = self.home.join("ssh_config");
        let known = self.home.join("known_hosts");
        write_once(&known, &format!("* {}\n", sshd.host_key()?))?;
        let text = format!(
            "Host *\n  ProxyCommand {} proxy %h\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  BatchMode yes\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  ConnectTimeout 30\n",
            self.home.join("bin/postern").display(),
            sshd.user(),
            sshd.user_key().display(),
            known.display(),
        );
        write_once(&file, &text)?;
        Ok(file)
    }

    /// Writes a file that only this person may read.
    pub fn write_secret(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.home.join(name);
        fs::write(&file, text)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        Ok(file)
    }

    fn command(&self, program: &Path) -> Command {
        let Some((wrapper, arguments)) = self.wrapper.split_first() else { return Command::new(program) };
        let mut command = Command::new(wrapper);
        command.args(arguments).arg(program);
        command
    }

    fn dress(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("HOME", &self.home).env("POSTERN_HOME", self.home.join("postern"));
        command.env("PATH", format!("{}:{path}", self.home.join("bin").display()));
        for variable in [
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "SSH_AUTH_SOCK",
            "HTTPS_PROXY",
        ] {
            command.env_remove(variable);
        }
        command.env("GIT_SSH_COMMAND", format!("ssh -F {}", self.home.join("ssh_config").display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.home);
    }
}

/// Writes a file unless it says this already: another program may be reading it at this moment.
fn write_once(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
