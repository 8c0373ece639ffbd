//! What the documents show of configuration is configuration.

use super::*;
use std::path::Path;

/// The TOML of the documents that is a gateway's, with where it stands.
fn shown() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut shown = Vec::new();
    for document in
        documents.chain([root.join("README.md")]).filter(|path| path.extension() == Some("md".as_ref()))
    {
        let text = fs::read_to_string(&document).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            let is_connectors = block.contains("token_file") || block.contains("allow =");
            if !is_connectors {
                shown.push((document.display().to_string(), block.to_owned()));
            }
        }
    }
    shown
}

#[test]
fn every_configuration_in_the_documents_is_one() {
    let shown = shown();
    assert!(shown.len() >= 5, "{shown:?}");
    for (document, block) in shown {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().display().to_string();
        let mut text =
            block.replace("/etc/postern", &place).replace("/var/lib/postern", &format!("{place}/state"));
        if !text.contains("public_url") {
            text = format!("public_url = \"https://postern.example.com\"\n{text}");
        }
        for file in text.split('"').filter(|word| word.starts_with(&place)) {
            if let Some(parent) = Path::new(file).parent() {
                fs::create_dir_all(parent).unwrap();
            }
            if Path::new(file).extension().is_some() {
                fs::write(file, "x").unwrap();
                fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        let path = write(&dir, "gateway.toml", &text, 0o600);
        if let Err(Mistakes(mistakes)) = Config::load(Some(&path), [], &[]) {
            panic!("{document}:\n{block}\n{mistakes:?}");
        }
    }
}
