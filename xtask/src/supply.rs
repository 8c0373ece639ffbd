//! What we let in from outside: crates.io only, permissive licences only. `deny.toml` says the same to cargo-deny, which also
//! knows the advisories; this check needs nothing installed.

use crate::metadata::Package;

const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Zlib",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
    "CC0-1.0",
    "Unlicense",
];

const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every package that comes from elsewhere or under a licence that we do not accept, as sentences.
pub(crate) fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| !package.ours) {
        let named = format!("{} {}", package.name, package.version);
        if package.source.as_deref() != Some(SOURCE) {
            found.push(format!("{named} does not come from crates.io"));
        }
        match &package.license {
            Some(license) if accepted(license) => {}
            Some(license) => found.push(format!("{named} has the licence {license}")),
            None => found.push(format!("{named} states no licence")),
        }
    }
    found
}

/// Is the expression satisfied by accepted licences? Every term of an `AND` must be, one term of an `OR` is enough.
fn accepted(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ").all(|all| all.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_accepted_licence_of_a_choice_is_enough() {
        assert!(accepted("MIT/Apache-2.0"));
        assert!(accepted("GPL-3.0 OR MIT"));
        assert!(accepted("(MIT OR Apache-2.0) AND Unicode-3.0"));
    }

    #[test]
    fn every_licence_of_a_conjunction_must_be_accepted() {
        assert!(!accepted("MIT AND GPL-3.0"));
        assert!(!accepted("MPL-2.0"));
    }
}
