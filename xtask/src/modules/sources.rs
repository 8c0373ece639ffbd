//! The modules of a crate as its files lay them out, and what a path in them leads to.

use super::reader;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The segments of a module below the root of its crate; empty for the root.
pub(crate) type ModulePath = Vec<String>;

/// One file's module.
pub(crate) struct Module {
    /// Where it is.
    pub(crate) path: ModulePath,
    /// Each path that its text names and that begins with `crate`, `self` or `super`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Names that it hands on: `pub use child::Name` as (name, path).
    handed_on: Vec<(String, Vec<String>)>,
}

impl Module {
    /// Reads a module from its text.
    pub(crate) fn read(path: ModulePath, text: &str) -> Self {
        let bare = reader::bare(text);
        Self { path, paths: reader::paths(&bare), handed_on: reader::handed_on(&bare) }
    }
}

/// Reads every module below a crate's `src`.
pub(crate) fn read(src: &Path) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    let mut waiting = vec![(src.to_path_buf(), ModulePath::new())];
    while let Some((directory, path)) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))? {
            let file = entry?.path();
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let mut inner = path.clone();
            if file.is_dir() {
                inner.push(stem);
                waiting.push((file, inner));
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let is_root = path.is_empty() && (stem == "lib" || stem == "main");
                if !is_root && stem != "mod" {
                    inner.push(stem);
                }
                modules.push(Module::read(inner, &std::fs::read_to_string(&file)?));
            }
        }
    }
    Ok(modules)
}

/// Finds the module that a path leads to.
pub(crate) struct Index<'a> {
    modules: BTreeMap<&'a [String], &'a Module>,
}

impl<'a> Index<'a> {
    /// Over all modules of one crate.
    pub(crate) fn new(modules: &'a [Module]) -> Self {
        Self { modules: modules.iter().map(|module| (module.path.as_slice(), module)).collect() }
    }

    /// The module that `path`, written inside the module `from`, leads to.
    pub(crate) fn resolve(&self, from: &[String], path: &[String]) -> ModulePath {
        let mut at = absolute(from, path);
        // A name that a module only hands on belongs to where it was made; four hops are more than anyone should need.
        for _ in 0..4 {
            let home = self.longest_module(&at);
            let Some(name) = at.get(home.len()) else { return home };
            let Some(target) = self.handed_on(&home, name) else { return home };
            at = absolute(&home, &target);
        }
        self.longest_module(&at)
    }

    fn longest_module(&self, path: &[String]) -> ModulePath {
        (0..=path.len())
            .rev()
            .filter_map(|length| path.get(..length))
            .find(|prefix| self.modules.contains_key(prefix))
            .map(<[String]>::to_vec)
            .unwrap_or_default()
    }

    fn handed_on(&self, module: &[String], name: &str) -> Option<Vec<String>> {
        let module = self.modules.get(module)?;
        module.handed_on.iter().find(|(handed, _)| handed == name).map(|(_, path)| path.clone())
    }
}

/// A path from the root of the crate.
fn absolute(from: &[String], path: &[String]) -> Vec<String> {
    let mut at: Vec<String> = from.to_vec();
    for (position, segment) in path.iter().enumerate() {
        match (position, segment.as_str()) {
            (0, "crate") => at.clear(),
            (_, "self") => {}
            (_, "super") => {
                at.pop();
            }
            (_, name) => at.push(name.to_owned()),
        }
    }
    at
}
