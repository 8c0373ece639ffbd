//! A real Chromium with a home of its own, in which it trusts the gateway and the provider: certificates are checked.

use super::{Scene, node_program};
use crate::{Idp, tools};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The browser of one test.
#[derive(Debug)]
pub struct Chromium {
    home: PathBuf,
    pictures: PathBuf,
}

impl Chromium {
    /// Prepares one that trusts these certificates.
    pub fn new(directory: &Path, trusted: &[&Path]) -> Result<Self> {
        let home = directory.join("home");
        let store = home.join(".pki/nssdb");
        std::fs::create_dir_all(&store)?;
        let store = format!("sql:{}", store.display());
        certutil(&["-N", "-d", &store, "--empty-password"])?;
        for (number, certificate) in trusted.iter().enumerate() {
            let (name, file) = (format!("trusted-{number}"), certificate.display().to_string());
            // As an authority, and as the server itself where a certificate signs itself.
            certutil(&["-A", "-d", &store, "-n", &name, "-t", "CP,,", "-i", &file])?;
        }
        Ok(Self { home, pictures: directory.join("pictures") })
    }

    /// Runs a program of `tests/browser` in it, told these things beside where it finds the browser, and gives what it says.
    pub fn run(&self, program: &str, mut told: Value) -> Result<String> {
        told["chromium"] = json!(tools::find("chromium").context("`chromium` is not on this machine")?);
        told["home"] = json!(self.home);
        told["pictures"] = json!(self.pictures);
        let mut node = tools::command("node")?;
        node.arg(node_program(program)).arg(told.to_string());
        let ran = node.stdin(Stdio::null()).output().context("start node")?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        anyhow::ensure!(ran.status.success(), "{program}: {said}{}", String::from_utf8_lossy(&ran.stderr));
        Ok(said)
    }

    /// Walks a journey of `tests/browser/journeys.mjs`; `more` is what it is told beside the usual.
    pub fn walk(&self, journey: &str, (scene, idp): (&Scene, &Idp), more: Value) -> Result<()> {
        let chromium = tools::find("chromium").context("`chromium` is not on this machine")?;
        let mut configuration = json!({
            "chromium": chromium, "home": self.home, "pictures": self.pictures,
            "gateway": scene.gateway().url(), "alpha": scene.url("alpha", ""), "beta": scene.url("beta", ""),
            "issuer": idp.issuer(), "control": idp.control(),
        });
        if let (Some(known), Value::Object(more)) = (configuration.as_object_mut(), more) {
            known.extend(more);
        }
        let mut node = tools::command("node")?;
        node.arg(node_program("journeys.mjs")).arg(journey).arg(configuration.to_string());
        let ran = node.stdin(Stdio::null()).output().context("start node")?;
        let said = [ran.stdout, ran.stderr].concat();
        anyhow::ensure!(ran.status.success(), "{journey}: {}", String::from_utf8_lossy(&said));
        Ok(())
    }
}

fn certutil(arguments: &[&str]) -> Result<()> {
    let ran = tools::command("certutil")?.args(arguments).stdin(Stdio::null()).output()?;
    anyhow::ensure!(ran.status.success(), "certutil {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}
