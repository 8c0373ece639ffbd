//! No import cycles between the modules of a crate: a small reader of `use` and of paths, and a search for loops.
//!
//! Modules are compared with their siblings, at every level: a parent may name its children and they may name it, but two
//! siblings (or anything inside them) may not need each other. Test modules are left out.

mod reader;
mod sources;

use anyhow::Result;
use sources::{Module, ModulePath};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every cycle among sibling modules of the crate whose sources lie in `src`, as sentences.
pub(crate) fn cycles(name: &str, src: &Path) -> Result<Vec<String>> {
    let modules = sources::read(src)?;
    Ok(cycles_among(&modules).iter().map(|cycle| format!("{name}: {cycle}")).collect())
}

/// For each module, the siblings that it needs, each with a path that says so.
type Edges = BTreeMap<String, BTreeMap<String, String>>;

type Siblings = BTreeMap<ModulePath, Edges>;

fn cycles_among(modules: &[Module]) -> Vec<String> {
    let mut found = Vec::new();
    for (parent, edges) in siblings(modules) {
        for group in loops(&edges) {
            let inside =
                if parent.is_empty() { String::new() } else { format!("in {}: ", parent.join("::")) };
            let reasons = reasons(&edges, &group);
            found.push(format!("import cycle {inside}{} ({reasons})", group.join(" ↔ ")));
        }
    }
    found
}

/// One path for each edge inside a cycle.
fn reasons(edges: &Edges, group: &[String]) -> String {
    let inside = |from: &String| edges.get(from).into_iter().flatten().filter(|(to, _)| group.contains(to));
    let named =
        group.iter().flat_map(|from| inside(from).map(move |(_, path)| format!("{from} names {path}")));
    named.collect::<Vec<_>>().join("; ")
}

/// For each parent, which of its children need which.
fn siblings(modules: &[Module]) -> Siblings {
    let index = sources::Index::new(modules);
    let mut all = Siblings::new();
    for module in modules {
        for path in &module.paths {
            let target = index.resolve(&module.path, path);
            let common = module.path.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (module.path.get(common), target.get(common)) {
                let parent = module.path.iter().take(common).cloned().collect();
                let needed = all.entry(parent).or_default().entry(from.clone()).or_default();
                needed.entry(to.clone()).or_insert_with(|| path.join("::"));
            }
        }
    }
    all
}

/// Groups of nodes that all reach each other.
fn loops(edges: &Edges) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for node in edges.keys() {
        if found.iter().any(|group| group.contains(node)) {
            continue;
        }
        let ahead = reachable(edges, node);
        if !ahead.contains(node) {
            continue;
        }
        let group = ahead.into_iter().filter(|other| reachable(edges, other).contains(node)).collect();
        found.push(group);
    }
    found
}

fn reachable(edges: &Edges, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from.to_owned()];
    while let Some(node) = waiting.pop() {
        for next in edges.get(&node).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, text: &str) -> Module {
        let path = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Module::read(path, text)
    }

    #[test]
    fn two_modules_that_need_each_other_are_a_cycle() {
        let modules =
            [module("", "mod a; mod b;"), module("a", "use crate::b::B;"), module("b", "use crate::a::A;")];
        assert_eq!(cycles_among(&modules), ["import cycle a ↔ b (a names crate::b::B; b names crate::a::A)"]);
    }

    #[test]
    fn a_cycle_through_a_name_that_the_root_hands_on_is_found() {
        let modules = [
            module("", "mod a; mod b; pub use b::B;"),
            module("a", "use crate::B; pub struct A;"),
            module("b", "fn f(_: crate::a::A) {}"),
        ];
        assert_eq!(cycles_among(&modules), ["import cycle a ↔ b (a names crate::B; b names crate::a::A)"]);
    }

    #[test]
    fn a_parent_and_its_children_may_name_each_other() {
        let modules = [
            module("", "mod a;"),
            module("a", "mod inner; pub use inner::Thing; struct Own;"),
            module("a::inner", "use super::Own; use crate::a::Own as Same;"),
        ];
        assert!(cycles_among(&modules).is_empty());
    }

    #[test]
    fn siblings_below_a_module_are_compared_too() {
        let modules = [
            module("", "mod a;"),
            module("a", "mod x; mod y;"),
            module("a::x", "use super::y::Y;"),
            module("a::y", "use super::{x::X};"),
        ];
        assert_eq!(
            cycles_among(&modules),
            ["import cycle in a: x ↔ y (x names super::y::Y; y names super::x::X)"]
        );
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let modules = [
            module("", "mod a; mod b;"),
            module(
                "a",
                "// use crate::b::B;\nconst S: &str = \"crate::b\";\n#[cfg(test)]\nmod tests { use crate::b::B; }",
            ),
            module("b", "use crate::a::A;"),
        ];
        assert!(cycles_among(&modules).is_empty());
    }
}
