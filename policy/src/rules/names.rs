//! Names in rule texts. Stored rules name entities by id, because a name can be given away; people write and read names.
//! This exchanges one for the other in the text itself, so that comments and layout survive.

/// The entity types that have both an id and a name.
const NAMED: &[&str] = &["User", "Group", "ServiceAccount", "Resource", "Site"];

/// The text with each `Type::"literal"` exchanged for what `replacement` gives for its type and literal. What it gives
/// nothing for stays as it is, as does everything in comments and other strings.
pub fn exchange_entities(text: &str, replacement: impl Fn(&str, &str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // The entity type just read, and whether its `::` was too: only then does a string belong to it.
    let (mut kind, mut colons): (Option<&str>, bool) = (None, false);
    while let Some((token, after)) = next(rest) {
        match literal(token)
            .zip(kind.filter(|_| colons))
            .and_then(|(literal, kind)| replacement(kind, literal))
        {
            Some(new) => out.push_str(&super::quoted(&new)),
            None => out.push_str(token),
        }
        let is_space = token.starts_with("//") || token.chars().all(char::is_whitespace);
        if token == "::" {
            colons = true;
        } else if !is_space {
            // A longer path, such as `Other::Group`, is another type.
            let preceded = out.strip_suffix(token).is_some_and(|before| before.trim_end().ends_with("::"));
            colons = false;
            kind = NAMED.iter().copied().find(|named| *named == token && !preceded);
        }
        rest = after;
    }
    out
}

/// The next token: a comment, white space, a string, a word, `::`, or one other character.
fn next(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?;
    let end = if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("::") {
        2
    } else if first == '"' {
        string_end(text)
    } else if first.is_whitespace() {
        text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len())
    } else if is_word(first) {
        text.find(|c: char| !is_word(c)).unwrap_or(text.len())
    } else {
        first.len_utf8()
    };
    Some(text.split_at(end))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// What a string says; nothing where it needs unescaping, because no name and no id does.
fn literal(token: &str) -> Option<&str> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper(text: &str) -> String {
        exchange_entities(text, |kind, literal| {
            (literal != "kept").then(|| format!("{kind}/{}", literal.to_uppercase()))
        })
    }

    #[test]
    fn entities_are_exchanged_and_the_rest_stays_word_for_word() {
        let text = "// Group::\"devs\" may\npermit (principal in Group::\"devs\", action == Action::\"connect\",\n  resource == Resource :: // here\n \"db\") when { context.idp == \"Group::\\\"devs\\\"\" };";
        let expected = "// Group::\"devs\" may\npermit (principal in Group::\"Group/DEVS\", action == Action::\"connect\",\n  resource == Resource :: // here\n \"Resource/DB\") when { context.idp == \"Group::\\\"devs\\\"\" };";
        assert_eq!(upper(text), expected);
    }

    #[test]
    fn what_is_not_a_plain_entity_is_left_alone() {
        for text in [
            "Other::Group::\"devs\"",
            "Group::\"a\\\"b\"",
            "Group::\"kept\"",
            "MyGroup::\"devs\"",
            "Group \"devs\"",
            "Group",
            "\"",
            "",
            "é::\"x\"",
        ] {
            assert_eq!(upper(text), text);
        }
    }

    #[test]
    fn a_replacement_cannot_leave_its_quotes() {
        let text = exchange_entities("Group::\"x\"", |_, _| Some("\" || true".to_owned()));
        assert_eq!(text, "Group::\"\\\" || true\"");
    }
}
