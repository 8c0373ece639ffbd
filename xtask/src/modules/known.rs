//! Cycles that exist. The list may only shrink: a new cycle, or a module more in one of these, fails the check, and so does an
//! entry whose cycle is untied.

/// A crate, and modules of it that need each other.
const KNOWN: &[(&str, &[&str])] = &[
    ("postern-client", &["bearer", "gateway", "sign_in"]),
    ("postern-client", &["cli", "reach"]),
    ("postern-store", &["change", "db", "error", "feed", "objects", "open", "schema"]),
    ("postern-tunnel-io", &["driver", "lane", "link", "shared"]),
    ("postern-tunnel-io", &["forward", "pump"]),
];

/// The position of the entry that covers a cycle.
pub(super) fn cycle(name: &str, group: &[String]) -> Option<usize> {
    KNOWN.iter().position(|(of, modules)| {
        *of == name && group.iter().all(|module| modules.contains(&module.as_str()))
    })
}

/// The entries of a crate that cover nothing any more, as sentences.
pub(super) fn untied(name: &str, still: &[usize]) -> Vec<String> {
    let of_this = KNOWN.iter().enumerate().filter(|(_, (of, _))| *of == name);
    let gone = of_this.filter(|(position, _)| !still.contains(position));
    gone.map(|(_, (_, modules))| format!("{name}: {} is untied: take it off the list", modules.join(" ↔ ")))
        .collect()
}
