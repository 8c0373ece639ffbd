#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod documents;

use super::*;
use std::{fs, os::unix::fs::PermissionsExt};

fn write(dir: &tempfile::TempDir, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn load(text: &str) -> Result<Config, Mistakes> {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "gateway.toml", text, 0o600);
    Config::load(Some(&path), [], &[])
}

#[test]
fn a_minimal_configuration_needs_only_the_public_url() {
    let config = load("public_url = \"https://postern.example.com\"").unwrap();
    assert_eq!(config.listen.mode, Mode::Tls);
    assert_eq!(config.store, StoreUrl::Sqlite);
    assert_eq!(config.master_key_path(), PathBuf::from("/var/lib/postern/master.key"));
}

#[test]
fn every_mistake_is_reported_with_its_line_and_a_hint() {
    let text = "public_url = \"http://x\"\n[listen]\naddress = \"nowhere\"\nmode = \"tsl\"\n[limits]\nopens_burst = 0\n";
    let Mistakes(mistakes) = load(text).unwrap_err();
    assert_eq!(lines(&mistakes), [1, 3, 4, 6], "in the order of the file");
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    assert!(mistakes.iter().all(|m| !m.hint.is_empty()));
}

fn lines(mistakes: &[Mistake]) -> Vec<usize> {
    let line = |m: &Mistake| if let Origin::File { line, .. } = m.at { Some(line) } else { None };
    mistakes.iter().filter_map(line).collect()
}

#[test]
fn mistakes_come_by_line_then_from_the_environment_then_from_flags_and_what_is_missing_last() {
    // Settings are read by their meaning, so that the order of the file is not the order of reading.
    let text = "[log]\nlevel = \"shouty==\"\n[listen]\nmode = \"tsl\"\naddress = \"nowhere\"\ncolour = 3\n\
                [limits]\ndrain_seconds = \"x\"\nopens_burst = 0\n[tls]\nkey = \"/none\"\n[store]\nurl = \"mysql://x\"\n";
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "gateway.toml", text, 0o600);
    let env = [("POSTERN_APPS_DOMAIN".to_owned(), "10.0.0.1".to_owned())];
    let flags = [("--internal", "internal.address", "zz")];
    let Mistakes(mistakes) = Config::load(Some(&path), env, &flags).unwrap_err();
    assert_eq!(lines(&mistakes), [2, 4, 5, 6, 8, 9, 11, 13]);
    let after: Vec<_> = mistakes.iter().skip(8).map(|m| m.at.to_string()).collect();
    assert_eq!(after, ["environment variable POSTERN_APPS_DOMAIN", "flag --internal", "configuration"]);
}

#[test]
fn nothing_is_called_missing_that_an_unreadable_file_may_hold() {
    let flags = [("--listen", "listen.address", "zz")];
    let Mistakes(mistakes) = Config::load(Some(Path::new("/nowhere/g.toml")), [], &flags).unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].what.contains("cannot be read") && mistakes[1].what.contains("zz"), "{mistakes:?}");
}

#[test]
fn a_public_url_that_does_not_lead_to_the_listener_is_only_a_warning() {
    let warned = |text: &str| load(text).unwrap().warnings();
    let other = warned("public_url = \"https://a.example:8443\"");
    assert!(other.len() == 1 && other[0].contains(":8443") && other[0].contains("port 443"), "{other:?}");
    let behind = "public_url = \"https://a.example\"\n[listen]\naddress = \"[::]:8443\"\nmode = \"tls_proxy_v2\"\n\
                  trusted_proxies = [\"10.0.0.0/8\"]";
    for fine in [
        "public_url = \"https://a.example\"",
        "public_url = \"https://a.example:8443\"\n[listen]\naddress = \"[::]:8443\"",
        "public_url = \"https://a.example:8443\"\n[listen]\naddress = \"[::]:0\"",
        "public_url = \"https://a.example:0\"\n[listen]\naddress = \"[::]:8443\"",
        "public_url = \"https://a.example\"\ngateways = [\"https://gw1.example:8443\"]\n[listen]\naddress = \"[::]:8443\"",
        behind,
    ] {
        assert_eq!(warned(fine), [""; 0], "{fine}");
    }
}

#[test]
fn gateways_are_bare_https_urls_that_others_can_dial() {
    let with = |list: &str| load(&format!("public_url = \"https://a.example\"\ngateways = {list}"));
    assert!(load("public_url = \"https://a.example\"").unwrap().gateways.is_empty());
    let two = with("[\"https://gw1.example\", \"https://gw2.example:8443\"]").unwrap().gateways;
    assert_eq!(
        two.iter().map(Url::as_str).collect::<Vec<_>>(),
        ["https://gw1.example/", "https://gw2.example:8443/"]
    );
    let many: Vec<String> = (0..17).map(|n| format!("https://gw{n}.example")).collect();
    for (bad, said) in [
        ("[\"http://gw1.example\"]".to_owned(), "not a bare https URL"),
        ("[\"https://gw1.example/path\"]".to_owned(), "not a bare https URL"),
        ("[\"https://user@gw1.example\"]".to_owned(), "not a bare https URL"),
        ("[\"gw1.example\"]".to_owned(), "gw1.example"),
        ("[\"https://gw1.example:0\"]".to_owned(), "no port"),
        ("[\"https://gw1.example\", \"https://gw1.example:443/\"]".to_owned(), "listed twice"),
        (format!("{many:?}"), "at most 16"),
    ] {
        let Mistakes(mistakes) = with(&bad).unwrap_err();
        assert!(mistakes[0].what.contains(said) && !mistakes[0].hint.is_empty(), "{bad}: {mistakes:?}");
        assert!(matches!(mistakes[0].at, Origin::File { line: 2, .. }), "{mistakes:?}");
    }
    let env = [("POSTERN_GATEWAYS".to_owned(), "https://gw1.example, https://gw2.example".to_owned())];
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "g.toml", "public_url = \"https://a.example\"", 0o600);
    assert_eq!(Config::load(Some(&path), env, &[]).unwrap().gateways.len(), 2);
}

#[test]
fn c03_no_gateway_lies_inside_the_domain_of_applications() {
    let with = |domain: &str| {
        let text =
            "public_url = \"https://postern.example.com:8443\"\ngateways = [\"https://gw1.example.net\"]";
        load(&format!("{text}\napps_domain = {domain:?}"))
    };
    assert_eq!(load("public_url = \"https://a.example\"").unwrap().apps_domain, None);
    let good = with("Apps.Example.ORG").unwrap();
    assert_eq!(good.apps_domain.as_deref(), Some("apps.example.org"));
    assert!(good.warnings().is_empty(), "{:?}", good.warnings());
    for (bad, said) in [
        ("example.com", "inside"),
        ("com", "inside"),
        ("postern.example.com", "inside"),
        ("POSTERN.example.com", "inside"),
        ("gw1.example.net", "inside"),
        ("example.net", "inside"),
        ("apps.example.org:443", "no domain"),
        ("*.apps.example.org", "no domain"),
        ("apps.example.org.", "no domain"),
        ("https://apps.example.org", "no domain"),
        ("10.0.0.1", "no domain"),
        ("[::1]", "no domain"),
        ("", "no domain"),
    ] {
        let Mistakes(mistakes) = with(bad).unwrap_err();
        assert!(mistakes[0].what.contains(said) && !mistakes[0].hint.is_empty(), "{bad}: {mistakes:?}");
        assert!(matches!(mistakes[0].at, Origin::File { line: 3, .. }), "{mistakes:?}");
    }
    let env = [("POSTERN_APPS_DOMAIN".to_owned(), "a.example".to_owned())];
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "g.toml", "public_url = \"https://x.a.example\"", 0o600);
    let error = Config::load(Some(&path), env, &[]).unwrap_err().to_string();
    assert!(error.contains("POSTERN_APPS_DOMAIN") && error.contains("inside"), "{error}");
}

#[test]
fn c03_sharing_a_registrable_domain_is_only_a_warning() {
    let config =
        load("public_url = \"https://postern.example.com\"\napps_domain = \"apps.example.com\"").unwrap();
    let warnings = config.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains(" example.com"), "{warnings:?}");
}

#[test]
fn certificates_and_keys_come_in_pairs() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [write(&dir, "a.key", "", 0o600), write(&dir, "b.key", "", 0o600)];
    let with = |tls: &str| load(&format!("public_url = \"https://a.example\"\n[tls]\n{tls}"));
    let (a, b) = (keys[0].display(), keys[1].display());
    let one = with(&format!("certificate = \"/a.pem\"\nkey = \"{a}\"")).unwrap().certificates;
    assert_eq!(one, [CertificateFiles { chain: "/a.pem".into(), key: keys[0].clone() }]);
    let two = with(&format!("certificate = [\"/a.pem\", \"/b.pem\"]\nkey = [\"{a}\", \"{b}\"]")).unwrap();
    assert_eq!(two.certificates[1], CertificateFiles { chain: "/b.pem".into(), key: keys[1].clone() });
    for bad in [
        format!("certificate = [\"/a.pem\", \"/b.pem\"]\nkey = \"{a}\""),
        "certificate = \"/a.pem\"".to_owned(),
        format!("key = \"{a}\""),
        format!("certificate = \"\"\nkey = \"{a}\""),
    ] {
        assert!(with(&bad).is_err(), "{bad}");
    }
}

#[test]
fn l06_an_unknown_key_is_refused_and_the_nearest_is_named() {
    let Mistakes(mistakes) =
        load("public_url = \"https://a.example\"\nstate_dri = \"/x\"\n[tsl]\nkey = \"k\"").unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes.iter().any(|m| m.hint.contains("state_dir")), "{mistakes:?}");
}

#[test]
fn l06_an_unknown_environment_variable_is_refused_and_a_known_one_wins_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "g.toml", "public_url = \"https://a.example\"", 0o600);
    let env = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    let config = Config::load(Some(&path), env("POSTERN_PUBLIC_URL", "https://b.example"), &[]).unwrap();
    assert_eq!(config.public_url.as_str(), "https://b.example/");
    let config = Config::load(Some(&path), env("POSTERN_LISTEN__ADDRESS", "127.0.0.1:0"), &[]).unwrap();
    assert_eq!(config.listen.address.port(), 0);
    assert!(Config::load(Some(&path), env("POSTERN_LISTEN__ADRESS", "127.0.0.1:0"), &[]).is_err());
    let flags = [("--public-url", "public_url", "https://c.example")];
    let config = Config::load(Some(&path), env("POSTERN_PUBLIC_URL", "https://b.example"), &flags).unwrap();
    assert_eq!(config.public_url.as_str(), "https://c.example/");
}

#[test]
fn l06_a_readable_configuration_with_a_password_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = write(&dir, "master.key", "0123456789abcdef0123456789abcdef", 0o600);
    let text = format!(
        "public_url = \"https://a.example\"\nmaster_key_file = {key:?}\n[store]\nurl = \"postgres://u:p@h/d\""
    );
    let open = write(&dir, "open.toml", &text, 0o644);
    let error = Config::load(Some(&open), [], &[]).unwrap_err().to_string();
    assert!(error.contains("chmod 600") && !error.contains("u:p"), "{error}");
    let closed = write(&dir, "closed.toml", &text, 0o640);
    Config::load(Some(&closed), [], &[]).unwrap();
}

#[test]
fn l06_a_configuration_that_others_may_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "g.toml", "public_url = \"https://a.example\"", 0o666);
    assert!(Config::load(Some(&path), [], &[]).is_err());
}

#[test]
fn l06_a_readable_master_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = write(&dir, "master.key", "0123456789abcdef0123456789abcdef", 0o644);
    let previous = format!("public_url = \"https://a.example\"\nprevious_master_key_files = [{key:?}]");
    assert!(load(&previous).unwrap_err().to_string().contains("previous_master_key_files"));
    let text = format!("public_url = \"https://a.example\"\nmaster_key_file = {key:?}");
    let path = write(&dir, "g.toml", &text, 0o600);
    let error = Config::load(Some(&path), [], &[]).unwrap_err().to_string();
    assert!(error.contains("g.toml:2") && error.contains("chmod 600"), "{error}");
}

#[test]
fn l06_a_state_directory_behind_a_symbolic_link_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    assert!(prepare_state_dir(&link).unwrap_err().what.contains("symbolic link"));
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(prepare_state_dir(&open).unwrap_err().hint.contains("chmod 700"));
    let made = dir.path().join("made");
    prepare_state_dir(&made).unwrap();
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    prepare_state_dir(&made).unwrap();
}

#[test]
fn a_mode_behind_proxies_needs_the_proxies_named() {
    let base = "public_url = \"https://a.example\"\n[listen]\nmode = \"tls_proxy_v2\"\n";
    assert!(load(base).is_err());
    assert!(load(&format!("{base}trusted_proxies = []")).is_err());
    assert!(load(&format!("{base}trusted_proxies = [\"nonsense\"]")).is_err());
    let config = load(&format!("{base}trusted_proxies = [\"10.0.0.0/8\", \"::1\"]")).unwrap();
    assert!(matches!(config.listen.mode, Mode::TlsProxyV2(networks) if networks.len() == 2));
    // In mode tls the list would be ignored in silence.
    assert!(
        load("public_url = \"https://a.example\"\n[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]").is_err()
    );
}

#[test]
fn the_password_of_the_store_shows_in_no_debug_output() {
    assert!(!format!("{:?}", StoreUrl::Postgres("postgres://u:secret@h/d".into())).contains("secret"));
}

#[test]
fn what_differs_is_named_and_only_what_can_change_now_is_adopted() {
    let proxied = "public_url = \"https://a.example\"\n[listen]\nmode = \"tls_proxy_v2\"\n";
    let now = load(&format!("{proxied}trusted_proxies = [\"10.0.0.0/8\"]")).unwrap();
    let text = "trusted_proxies = [\"10.1.0.0/16\"]\naddress = \"[::1]:444\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
                [limits]\nopens_burst = 7\ndrain_seconds = 3\n[store]\nurl = \"postgres://db/x\"\n";
    let dir = tempfile::tempdir().unwrap();
    let key = write(&dir, "master.key", "", 0o600);
    let keys = format!("master_key_file = {key:?}\nprevious_master_key_files = [{key:?}]");
    let next = load(&format!("{keys}\n{proxied}{text}")).unwrap();
    let difference = Difference::between(&now, &next);
    let at_once = ["listen.trusted_proxies", "log.level", "limits.opens_burst", "limits.drain_seconds"];
    assert_eq!(difference.at_once[..2], ["master_key_file", "previous_master_key_files"]);
    assert_eq!(difference.at_once[2..], at_once);
    assert_eq!(difference.after_restart, ["listen.address", "store.url", "log.format"]);
    let mut adopted = now.clone();
    adopted.adopt(&next);
    assert_eq!(Difference::between(&adopted, &next).at_once, [""; 0]);
    assert_eq!(Difference::between(&adopted, &next).after_restart, difference.after_restart);
    let text = "public_url = \"https://b.example\"\napps_domain = \"apps.example\"";
    let differing = Difference::between(&now, &load(text).unwrap());
    assert_eq!(differing.after_restart, ["public_url", "apps_domain", "listen.mode"]);
}
