//! Reads paths out of Rust text, without a parser: comments, literals and test modules are blanked first.

/// The text without comments, string and character literals and without what follows `#[cfg(test)]` before a module.
pub(crate) fn bare(text: &str) -> String {
    let text = blank(text);
    let mut cut = text.len();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let after = from + found + "#[cfg(test)]".len();
        if opens_a_module(text.get(after..).unwrap_or_default()) {
            cut = from + found;
            break;
        }
        from = after;
    }
    text.get(..cut).unwrap_or_default().to_owned()
}

/// Does the text, after further attributes, begin with `mod name {`?
fn opens_a_module(text: &str) -> bool {
    let mut rest = text.trim_start();
    while rest.starts_with("#[") {
        let Some(end) = rest.find(']') else { return false };
        rest = rest.get(end + 1..).unwrap_or_default().trim_start();
    }
    rest.starts_with("mod ") && rest.find('{') < rest.find(';').or(Some(usize::MAX))
}

fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            string_length(rest)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        out.push(' ');
        rest = rest.get(skipped..).unwrap_or_default();
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        match character {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return position + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Each path in the text that begins with `crate`, `self` or `super`, groups expanded.
pub(crate) fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut previous = ' ';
    for (position, character) in text.char_indices() {
        let at_word = !(previous.is_alphanumeric() || previous == '_' || previous == ':' || previous == '$');
        previous = character;
        if !at_word {
            continue;
        }
        let rest = text.get(position..).unwrap_or_default();
        if ["crate::", "self::", "super::"].iter().any(|prefix| rest.starts_with(prefix)) {
            expand(rest, &[], &mut found);
        }
    }
    found
}

/// What `pub use` (or `pub(crate) use`) hands on: the name and the path it stands for.
pub(crate) fn handed_on(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for statement in text.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else { continue };
        if !before.trim_end().rsplit(['\n', '}', ']']).next().unwrap_or_default().contains("pub") {
            continue;
        }
        let mut paths = Vec::new();
        expand(tree.trim_start(), &[], &mut paths);
        found.extend(paths.into_iter().filter_map(|path| Some((path.last()?.clone(), path))));
    }
    found
}

/// Expands a path with groups; gives what is left of the text behind it.
fn expand<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            return expand_group(group, &path, found);
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (segment, behind) = rest.split_at(end);
        if segment.is_empty() {
            break;
        }
        path.push(segment.to_owned());
        rest = behind;
        match behind.strip_prefix("::") {
            Some(next) => rest = next.trim_start(),
            None => break,
        }
    }
    found.push(path);
    rest
}

fn expand_group<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text;
    loop {
        rest = expand(rest, prefix, found);
        // Skips `as name` and `*` up to the next separator of this group.
        let Some(end) = rest.find([',', '}', ';']) else { return "" };
        let (separator, behind) = rest.split_at(end).1.split_at(1);
        rest = behind.trim_start();
        if separator != "," {
            return rest;
        }
        if let Some(behind_trailing_comma) = rest.strip_prefix('}') {
            return behind_trailing_comma;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> Vec<String> {
        paths(&bare(text)).iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn nested_groups_are_expanded() {
        assert_eq!(
            joined("use crate::{a::{B, C as D}, e, f::*};"),
            ["crate::a::B", "crate::a::C", "crate::e", "crate::f"]
        );
    }

    #[test]
    fn paths_inside_expressions_are_seen() {
        assert_eq!(joined("fn f() { crate::a::go(super::b::X) }"), ["crate::a::go", "super::b::X"]);
    }

    #[test]
    fn a_renamed_name_is_handed_on_under_its_path() {
        let found = handed_on("pub use a::B;\nuse c::D;\npub(crate) use e::{F, G};");
        let names: Vec<String> =
            found.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
        assert_eq!(names, ["B=a::B", "F=e::F", "G=e::G"]);
    }
}
