//! What `cargo metadata` says about the packages, reduced to what the checks ask.

use crate::workspace;
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// One package of the resolved graph.
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence expression, if it states one.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for our own crates.
    pub(crate) source: Option<String>,
    /// The path of its manifest.
    pub(crate) manifest: PathBuf,
    /// The features that the workspace switches on in it.
    pub(crate) features: Vec<String>,
    /// The names of the packages that it depends on directly, as resolved for this platform.
    pub(crate) uses: Vec<String>,
    /// Is it one of ours?
    pub(crate) ours: bool,
}

/// The resolved graph, for the platform of this machine.
pub(crate) fn read() -> Result<Vec<Package>> {
    let mut command = workspace::cargo();
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host()?]);
    let text = workspace::output_of(&mut command)
        .context("read the dependency graph (is Cargo.lock up to date?)")?;
    let value: Value = serde_json::from_str(&text).context("parse cargo metadata")?;
    let built = built()?;
    let members: Vec<&str> = strings(&value["workspace_members"]);
    let mut names = BTreeMap::new();
    for package in array(&value["packages"]) {
        names.insert(text_of(&package["id"]), text_of(&package["name"]));
    }
    let mut nodes = BTreeMap::new();
    for node in array(&value["resolve"]["nodes"]) {
        nodes.insert(text_of(&node["id"]), node);
    }
    let mut packages = Vec::new();
    for package in array(&value["packages"]) {
        let id = text_of(&package["id"]);
        let Some(node) = nodes.get(id) else { continue };
        if !built.contains(&format!("{} v{}", text_of(&package["name"]), text_of(&package["version"]))) {
            continue;
        }
        packages.push(Package {
            name: text_of(&package["name"]).to_owned(),
            version: text_of(&package["version"]).to_owned(),
            license: package["license"].as_str().map(str::to_owned),
            source: package["source"].as_str().map(str::to_owned),
            manifest: PathBuf::from(text_of(&package["manifest_path"])),
            features: strings(&node["features"]).into_iter().map(str::to_owned).collect(),
            uses: array(&node["deps"])
                .iter()
                .filter_map(|dependency| names.get(text_of(&dependency["pkg"])))
                .map(|name| (*name).to_owned())
                .collect(),
            ours: members.contains(&id),
        });
    }
    Ok(packages)
}

/// What is really compiled, as `name v1.2.3`: `cargo metadata` also lists what only a feature that is off would bring.
fn built() -> Result<BTreeSet<String>> {
    let mut command = workspace::cargo();
    command.args(["tree", "--workspace", "--locked", "--prefix", "none", "--edges", "normal,build,dev"]);
    let text = workspace::output_of(&mut command).context("list what is compiled")?;
    let first_two = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(first_two).collect())
}

fn host() -> Result<String> {
    let text = workspace::output_of(std::process::Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc names no host")?.to_owned())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<&str> {
    array(value).iter().filter_map(Value::as_str).collect()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
