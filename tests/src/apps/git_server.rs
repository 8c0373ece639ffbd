//! git's own HTTP backend, as any host of repositories has it.

use super::{node_program, server::announced};
use crate::{process::Process, tools};
use anyhow::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A running server; dropping it kills it.
#[derive(Debug)]
pub struct GitServer {
    _process: Process,
    port: Value,
    repositories: PathBuf,
}

impl GitServer {
    /// Starts one with an empty repository of this name.
    pub fn start(directory: &Path, repository: &str) -> Result<Self> {
        let repositories = directory.join("repositories");
        std::fs::create_dir_all(&repositories)?;
        let mut git = tools::command("git")?;
        git.args(["init", "--quiet", "--bare", "--initial-branch=main"]);
        let status = git.arg(repositories.join(repository)).status()?;
        anyhow::ensure!(status.success(), "git init ended with {status}");
        // Whose push it was stands in the log of each branch.
        let status = tools::command("git")?
            .arg("-C")
            .arg(repositories.join(repository))
            .args(["config", "core.logAllRefUpdates", "true"])
            .status()?;
        anyhow::ensure!(status.success(), "git config ended with {status}");
        let mut node = tools::command("node")?;
        node.arg(node_program("git.mjs")).arg(&repositories);
        let process = Process::start_with_open_input("git-server", node, directory)?;
        let port = announced(&process, "the git server")?["http"].clone();
        Ok(Self { _process: process, port, repositories })
    }

    /// Where it listens.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What happened to a branch, with who did it.
    pub fn log(&self, repository: &str, branch: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.repositories.join(repository).join("logs/refs/heads").join(branch))?)
    }
}
