//! What the tests need on the machine beside Rust, and how it gets there.

mod apt;
mod python;

use crate::workspace;
use anyhow::{Context, Result};
use apt::{Need, bring};
use std::{
    path::Path,
    process::{Command, Stdio},
};

const FOR_THE_DEMO: &[Need] = &[
    Need { tool: "ssh", package: "openssh-client" },
    Need { tool: "ssh-keygen", package: "openssh-client" },
    Need { tool: "sshd", package: "openssh-server" },
    Need { tool: "curl", package: "curl" },
];

const FOR_THE_TESTS: &[Need] = &[
    Need { tool: "scp", package: "openssh-client" },
    Need { tool: "sftp", package: "openssh-client" },
    Need { tool: "git", package: "git" },
    Need { tool: "initdb", package: "postgresql" },
    Need { tool: "postgres", package: "postgresql" },
    Need { tool: "psql", package: "postgresql" },
    Need { tool: "openssl", package: "openssl" },
    Need { tool: "node", package: "nodejs" },
    Need { tool: "npm", package: "npm" },
    Need { tool: "nginx", package: "nginx-light" },
    Need { tool: "chromium", package: "chromium" },
    Need { tool: "certutil", package: "libnss3-tools" },
];

/// For tests that say so and are left out where these are missing.
const FOR_SOME_TESTS: &[Need] = &[
    Need { tool: "ip", package: "iproute2" },
    Need { tool: "ss", package: "iproute2" },
    Need { tool: "nft", package: "nftables" },
    Need { tool: "faketime", package: "faketime" },
];

/// Where the tests have programs for Node with packages of their own.
const NODE_PROGRAMS: &[&str] = &["tests/idp", "tests/browser", "tests/verdaccio"];

/// Brings what the demo needs.
pub(crate) fn ready_for_the_demo() -> Result<()> {
    bring(FOR_THE_DEMO)
}

/// Brings what the tests need; what only the larger forms need too, if they are to run.
pub(crate) fn ready_for_the_tests(long: bool) -> Result<()> {
    bring(FOR_THE_DEMO)?;
    bring(FOR_THE_TESTS)?;
    if let Err(error) = bring(FOR_SOME_TESTS) {
        eprintln!("{error:#}; the tests that need it are left out");
    }
    if let Err(error) = python::bring(long) {
        eprintln!("{error:#}; the tests that need it are left out");
    }
    NODE_PROGRAMS.iter().try_for_each(|program| bring_node_packages(&workspace::root().join(program)))
}

/// The packages of a program for Node, exactly as its lock file says; nothing that they bring is run.
fn bring_node_packages(program: &Path) -> Result<()> {
    let installed = program.join("node_modules/.package-lock.json");
    let age = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    if age(&installed) > age(&program.join("package-lock.json")) {
        return Ok(());
    }
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("start npm")?;
    anyhow::ensure!(status.success(), "npm ci in {} ended with {status}", program.display());
    Ok(())
}
