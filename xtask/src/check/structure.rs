//! The checks on the shape of the code: crate table, import cycles, supply chain.

use crate::metadata::Package;
use crate::outcome::{Count, Run};
use crate::{architecture, documents, metadata, modules, supply};
use anyhow::Result;

/// Runs them, each as a part of its own.
pub(crate) fn parts(run: &mut Run) {
    run.part("files that the documents name", || Ok(told(&documents::violations()?)));
    let mut packages = Vec::new();
    let read = run.part("dependency graph", || {
        packages = metadata::read()?;
        Ok(Count::one())
    });
    if read {
        run.part("crate table", || Ok(told(&architecture::violations(&packages))));
        run.part("import cycles between modules", || Ok(told(&cycles(&packages)?)));
        run.part("licences and sources", || Ok(told(&supply::violations(&packages))));
    }
}

fn cycles(packages: &[Package]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| package.ours) {
        let Some(directory) = package.manifest.parent() else { continue };
        found.extend(modules::cycles(&package.name, &directory.join("src"))?);
    }
    Ok(found)
}

fn told(violations: &[String]) -> Count {
    for violation in violations {
        eprintln!("   {violation}");
    }
    match u64::try_from(violations.len()) {
        Ok(0) => Count::one(),
        Ok(failed) => Count { failed, ..Count::default() },
        Err(_) => Count::failure("too many to count"),
    }
}
