//! A real gRPC service over plain HTTP/2, and a real client.

use super::{node_program, server::announced};
use crate::{process::Process, tools};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// A running service; dropping it kills it.
#[derive(Debug)]
pub struct Grpc {
    _process: Process,
    port: Value,
}

impl Grpc {
    /// Starts one.
    pub fn start(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let mut node = tools::command("node")?;
        node.arg(node_program("grpc.mjs")).arg("serve");
        let process = Process::start_with_open_input("grpc", node, directory)?;
        let port = announced(&process, "the gRPC service")?["http"].clone();
        Ok(Self { _process: process, port })
    }

    /// Where it listens.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The client, told whom to call.
    pub fn client(configuration: &Value) -> Result<Command> {
        let mut node = tools::command("node")?;
        node.arg(node_program("grpc.mjs")).arg("call").arg(configuration.to_string());
        node.stdin(Stdio::null());
        Ok(node)
    }

    /// Calls everything once, and gives what came of it.
    pub fn call(configuration: &Value) -> Result<Value> {
        let ran = Self::client(configuration)?.output().context("start node")?;
        let said = String::from_utf8_lossy(&ran.stdout);
        serde_json::from_str(&said)
            .with_context(|| format!("{said:?}: {}", String::from_utf8_lossy(&ran.stderr)))
    }
}
