//! The application of `tests/browser/app.mjs`: it echoes, counts, hashes, streams, and lists what reached it.

use super::{Certificate, node_program};
use crate::{curl::Browser, process::Process, tools, wait};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// A server in Node listens within this on a busy machine.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running application; dropping it kills it.
#[derive(Debug)]
pub struct AppServer {
    process: Process,
    ports: Value,
}

impl AppServer {
    /// Starts one; with a certificate it listens for TLS as well.
    pub fn start(directory: &Path, certificate: Option<&Certificate>) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let configuration = certificate
            .map_or_else(|| json!({}), |made| json!({ "cert": made.certificate, "key": made.key }));
        let mut node = tools::command("node")?;
        node.arg(node_program("app.mjs")).arg(configuration.to_string());
        let process = Process::start_with_open_input("app", node, directory)?;
        let ports = announced(&process, "the application")?;
        Ok(Self { process, ports })
    }

    /// Where it speaks plain HTTP.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.ports["http"])
    }

    /// Where it speaks HTTP over TLS.
    pub fn tls_target(&self) -> String {
        format!("127.0.0.1:{}", self.ports["https"])
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What reached it so far, as `METHOD path`.
    pub fn seen(&self) -> Result<Vec<String>> {
        let list = self.ask("/seen")?;
        let line = |entry: &Value| Some(format!("{} {}", entry["method"].as_str()?, entry["url"].as_str()?));
        Ok(list.as_array().into_iter().flatten().filter_map(line).collect())
    }

    /// The bodies that were posted to `/count`.
    pub fn posted(&self) -> Result<Vec<Value>> {
        Ok(self.ask("/posted")?.as_array().cloned().unwrap_or_default())
    }

    /// Asks it directly, past the gateway.
    fn ask(&self, path: &str) -> Result<Value> {
        let nowhere = Path::new("/dev/null");
        Browser::new(nowhere, nowhere).get(&format!("http://{}{path}", self.target()))?.json()
    }
}

/// The ports that a program prints once it listens.
pub(super) fn announced(process: &Process, what: &str) -> Result<Value> {
    let ports = || process.log().lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(wait::eventually(what, READY_WITHIN, ports).with_context(|| process.log_tail())?.0)
}
