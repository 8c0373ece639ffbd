//! The documents name files; each of them must exist, or the map lies.

use crate::workspace;
use anyhow::{Context, Result};
use std::path::Path;

const CHECKED: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Every file that a document names and that does not exist, as sentences.
pub(crate) fn violations() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for document in CHECKED {
        let text = std::fs::read_to_string(workspace::root().join(document))
            .with_context(|| format!("read {document}"))?;
        let missing = named(&text).into_iter().filter(|path| !exists(path));
        found.extend(missing.map(|path| format!("{document} names {path}, which does not exist")));
    }
    Ok(found)
}

fn exists(path: &str) -> bool {
    workspace::root().join(Path::new(path)).exists()
}

/// What looks like a path of this repository: between backticks with a slash and an ending, or the target of a relative link.
fn named(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2).filter(|word| {
        let ends = [".rs", ".md", ".toml"].iter().any(|end| word.ends_with(end));
        ends && word.contains('/') && !word.contains(' ') && !word.starts_with('/')
    });
    let linked = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"));
    quoted.chain(linked).map(|path| path.split('#').next().unwrap_or(path).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_relative_links_are_found_and_commands_are_not() {
        let text =
            "`a/b.rs` and [c](docs/c.md#part), `cargo xtask test`, `x.rs`, [d](https://d.example/e.md)";
        assert_eq!(named(text), ["a/b.rs", "docs/c.md"]);
    }
}
