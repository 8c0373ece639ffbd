//! Declarative files: read the YAML stream, and fill in the secrets that it names.

use crate::failure::Failure;
use postern_api::{Document, Secret};
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::path::Path;

/// The documents of one YAML stream. `base` is the directory that secret files are named from.
pub(super) fn read(text: &str, origin: &str, base: &Path) -> Result<Vec<Document>, Failure> {
    // `name: no` is a name: only `true` and `false` are anything else.
    let options = serde_saphyr::options! { strict_booleans: true };
    let parsed: Vec<Spanned<Value>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|e| Failure::usage(format!("{origin}: {e}")))?;
    let (mut documents, mut mistakes) = (Vec::with_capacity(parsed.len()), Vec::new());
    for Spanned { value, referenced, .. } in &parsed {
        match Document::deserialize(value) {
            Ok(document) => documents.push(document),
            Err(error) => mistakes.push(format!("{}: {error}", place(value, referenced.line()))),
        }
    }
    match mistakes.as_slice() {
        [] => {}
        [mistake] => return Err(Failure::usage(format!("{origin}: {mistake}"))),
        several => {
            let (count, list) = (several.len(), several.join("\n  - "));
            return Err(Failure::usage(format!("{origin}: {count} documents are wrong\n  - {list}")));
        }
    }
    for document in &mut documents {
        let of = format!("{} {}", document.kind(), document.name());
        let secret = match document {
            Document::User(user) => user.password.as_mut(),
            Document::Provider(provider) => provider.client_secret.as_mut(),
            Document::Site(_)
            | Document::Resource(_)
            | Document::Group(_)
            | Document::ServiceAccount(_)
            | Document::Grant(_)
            | Document::Policy(_)
            | Document::Window(_)
            | Document::Threshold(_)
            | Document::Absent(_) => None,
        };
        if let Some(secret) = secret {
            let value = resolve(secret, base).map_err(|e| Failure::usage(format!("{origin}: {of}: {e}")))?;
            *secret = Secret::Value(value);
        }
    }
    Ok(documents)
}

/// Which document of a file it is.
fn place(document: &Value, line: u64) -> String {
    let word = |field: &str| document.get(field).and_then(Value::as_str);
    match (word("kind"), word("name")) {
        (Some(kind), Some(name)) => format!("line {line}: {kind} {name}"),
        _ => format!("line {line}"),
    }
}

fn resolve(secret: &Secret, base: &Path) -> Result<String, String> {
    match secret {
        Secret::FromEnv(name) => {
            std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))
        }
        Secret::FromFile(path) => {
            let path = base.join(path);
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        }
        Secret::Value(_) => {
            Err("a secret is given as {fromEnv: NAME} or {fromFile: PATH}, never in the file itself"
                .to_owned())
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_files_and_never_from_the_document() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "correct horse\n").unwrap();
        let text = "kind: user\nname: alice\npassword: {fromFile: pw}\n---\nkind: site\nname: office\n";
        let documents = read(text, "file", dir.path()).unwrap();
        let [Document::User(alice), Document::Site(_)] = documents.as_slice() else {
            unreachable!("{documents:?}")
        };
        assert_eq!(alice.password, Some(Secret::Value("correct horse".into())));
        let inline = "kind: user\nname: alice\npassword: {value: hunter2}\n";
        let failure = read(inline, "file", dir.path()).unwrap_err();
        assert!(failure.code == 64 && !failure.sentence.contains("hunter2"), "{failure}");
    }

    #[test]
    fn a_mistake_names_the_document() {
        let text = "kind: site\nname: no\n---\nkind: resource\nname: db\nsite: no\ntype: tcp\n";
        let failure = read(text, "office.yaml", Path::new(".")).unwrap_err();
        assert!(failure.sentence.starts_with("office.yaml: line 4: resource db: "), "{failure}");
        assert!(failure.sentence.contains("target"), "{failure}");
        let documents = read("kind: site\nname: no\n", "f", Path::new(".")).unwrap();
        let [Document::Site(site)] = documents.as_slice() else { unreachable!("{documents:?}") };
        assert_eq!(site.name.as_str(), "no", "a word like any other");
    }

    #[test]
    fn every_document_that_is_wrong_is_told_at_once() {
        let text = "kind: site\nname: X\n---\nkind: site\nname: office\n---\nkind: sight\nname: y\n";
        let failure = read(text, "office.yaml", Path::new(".")).unwrap_err();
        let lines: Vec<&str> = failure.sentence.lines().collect();
        assert_eq!(lines.first(), Some(&"office.yaml: 2 documents are wrong"));
        assert!(lines.get(1).is_some_and(|line| line.starts_with("  - line 1: site X: ")), "{failure}");
        assert!(lines.get(2).is_some_and(|line| line.starts_with("  - line 7: sight y: ")), "{failure}");
    }

    #[test]
    fn a_kind_may_be_spelled_as_get_lists_it() {
        let text = "kind: service-account\nname: ci\n---\nkind: grant\nname: g\nsubjects: [{service-account: ci}]\n\
                    resources: all\nactions: [connect]\n";
        let documents = read(text, "f", Path::new(".")).unwrap();
        assert!(
            matches!(documents.as_slice(), [Document::ServiceAccount(_), Document::Grant(_)]),
            "{documents:?}"
        );
    }

    #[test]
    fn a_mistake_names_the_file() {
        for bad in [
            "kind: sight\nname: x\n",
            "kind: site\nname: x\ncolour: red\n",
            "kind: site\nname: '-x'\n",
            "a: [",
            "name: x\n",
        ] {
            let failure = read(bad, "site.yaml", Path::new(".")).unwrap_err();
            assert!(failure.code == 64 && failure.sentence.starts_with("site.yaml: "), "{failure}");
        }
    }
}
