//! A stock registry of npm packages (verdaccio) that leaves it to the gateway who may do what, and stock npm.

use super::{Scene, node_program};
use crate::{process::Process, tools, wait};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running registry; dropping it kills it.
#[derive(Debug)]
pub struct Registry {
    _process: Process,
    port: u16,
}

impl Registry {
    /// Starts an empty one that keeps its packages in `directory`.
    pub fn start(directory: &Path) -> Result<Self> {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("verdaccio/node_modules/verdaccio/bin/verdaccio");
        anyhow::ensure!(program.is_file(), "verdaccio is not there: cargo xtask test brings it");
        std::fs::create_dir_all(directory)?;
        let configuration = directory.join("config.yaml");
        let storage = directory.join("storage");
        let rules = "{access: $all, publish: $all, unpublish: $all}";
        std::fs::write(
            &configuration,
            format!(
                "storage: {}\nauth: {{htpasswd: {{file: {}, max_users: -1}}}}\nuplinks: {{}}\nweb: {{enable: false}}\n\
                 packages: {{'@*/*': {rules}, '**': {rules}}}\nmax_body_size: 400mb\nlog: {{type: stdout, level: http}}\n",
                storage.display(),
                directory.join("htpasswd").display(),
            ),
        )?;
        let port = wait::free_port()?;
        let mut node = tools::command("node")?;
        node.arg(program)
            .arg("--config")
            .arg(&configuration)
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"));
        let mut process = Process::start("verdaccio", node, directory)?;
        let is_there = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() || !process.is_running();
        wait::until("verdaccio", READY_WITHIN, is_there).with_context(|| process.log_tail())?;
        anyhow::ensure!(process.is_running(), "verdaccio ended:\n{}", process.log_tail());
        Ok(Self { _process: process, port })
    }

    /// Where it listens.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Stock npm in `directory` whose only registry is the application `name`, with one more line of its configuration: how it shows
/// who it is, without the part that names the registry.
pub fn npm(scene: &Scene, name: &str, directory: &Path, credential: &str) -> Result<Command> {
    std::fs::create_dir_all(directory)?;
    let (authority, trusted) = (scene.authority(name), scene.gateway().authority());
    std::fs::write(
        directory.join(".npmrc"),
        format!(
            "registry=https://{authority}/\n//{authority}/:{credential}\ncafile={}\ncache={}\nfetch-retries=0\naudit=false\n\
             fund=false\nupdate-notifier=false\n",
            trusted.display(),
            directory.join("cache").display(),
        ),
    )?;
    let mut npm = tools::command("npm")?;
    npm.current_dir(directory).env("HOME", directory).env("NPM_CONFIG_USERCONFIG", directory.join(".npmrc"));
    npm.env("NPM_CONFIG_GLOBALCONFIG", directory.join("none"));
    npm.env("NODE_OPTIONS", format!("--require {}", node_program("localhost.cjs").display()));
    npm.stdin(Stdio::null());
    Ok(npm)
}
