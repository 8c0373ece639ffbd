//! How the program ends when it cannot do what it was asked to: by the codes of sysexits, and with what to do about it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_postern-gateway");

/// What root may do that others may not.
const RIGHTS: &str = "--bounding-set=-dac_override,-dac_read_search,-net_bind_service";

/// The program with none of the variables of whoever runs the test, and with no right over files and ports that an ordinary
/// user has not.
fn program() -> Command {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(if is_root { "setpriv" } else { PROGRAM });
    if is_root {
        command.args([RIGHTS, "--", PROGRAM]);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
        command.env_remove(name);
    }
    command
}

fn configuration(dir: &Path, listen: &str) -> PathBuf {
    let path = dir.join("gateway.toml");
    let state = dir.join("state");
    let text = format!(
        "public_url = \"https://127.0.0.1:0\"\nstate_dir = {state:?}\n[listen]\naddress = \"{listen}\"\n\
         [internal]\naddress = \"127.0.0.1:0\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn run(verb: &str, configuration: &Path) -> Output {
    program().arg(verb).arg("--config").arg(configuration).output().unwrap()
}

/// It ended with this code and said each of these.
fn expect(output: &Output, code: i32, said: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(said.iter().all(|word| text.contains(word)), "{said:?} in {text}");
}

#[test]
fn an_address_that_is_not_this_machine_s_ends_with_69() {
    let dir = tempfile::tempdir().unwrap();
    // An address of the documentation (RFC 5737): nobody has it.
    let output = run("serve", &configuration(dir.path(), "192.0.2.1:0"));
    expect(&output, 69, &["cannot listen on 192.0.2.1:0"]);
}

#[test]
fn an_address_that_another_program_has_ends_with_75_and_names_the_setting() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = run("serve", &configuration(dir.path(), &taken.local_addr().unwrap().to_string()));
    expect(&output, 75, &["listen.address", "hint:"]);
}

#[test]
fn a_port_that_takes_root_ends_with_77_and_says_what_would_do() {
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first_free.trim().parse::<u16>().is_ok_and(|port| port <= 1) {
        // Every port is for everybody here.
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = run("serve", &configuration(dir.path(), "127.0.0.1:1"));
    expect(&output, 77, &["127.0.0.1:1", "CAP_NET_BIND_SERVICE"]);
}

#[test]
fn files_that_the_program_may_not_read_end_with_77_and_are_named() {
    for name in ["node-id", "postern.db"] {
        let dir = tempfile::tempdir().unwrap();
        let path = configuration(dir.path(), "127.0.0.1:0");
        expect(&run("migrate", &path), 0, &[]);
        let file = dir.path().join("state").join(name);
        fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        expect(&run("serve", &path), 77, &[name]);
    }
}

#[test]
fn l06_mistakes_in_file_environment_and_flags_are_told_together_each_with_its_place_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let path = configuration(dir.path(), "nowhere");
    let mut check = program();
    check.arg("check-config").arg("--config").arg(&path);
    check.env("POSTERN_LISTEN__MODE", "tsl").env("POSTERN_LISTEN__ADRESS", "127.0.0.1:0");
    check.args(["--set", "limits.opens_burst=0", "--set", "no.such=1", "--internal", "nowhere-either"]);
    let output = check.output().unwrap();
    let places = [
        "gateway.toml:4",
        "POSTERN_LISTEN__MODE",
        "POSTERN_LISTEN__ADRESS",
        "opens_burst",
        "no.such",
        "nowhere-either",
    ];
    expect(&output, 78, &places);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.matches("hint:").count() >= places.len(), "{text}");
    assert!(!dir.path().join("state").exists(), "checking makes nothing");
}

#[test]
fn each_mode_behind_a_proxy_ends_with_78_until_the_proxies_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = configuration(dir.path(), "127.0.0.1:0");
    let check = |settings: &[&str]| {
        let mut check = program();
        check.arg("check-config").arg("--config").arg(&path);
        for setting in settings {
            check.args(["--set", setting]);
        }
        check.output().unwrap()
    };
    let named = "listen.trusted_proxies=10.0.0.0/8";
    for mode in ["listen.mode=tls_proxy_v2", "listen.mode=http_behind_proxy"] {
        expect(&check(&[mode]), 78, &["trusted_proxies", "hint:"]);
        expect(&check(&[mode, "listen.trusted_proxies=10.0.0.0/33"]), 78, &["10.0.0.0/33", "hint:"]);
        expect(&check(&[mode, named]), 0, &[]);
    }
    expect(&check(&["listen.mode=tls"]), 0, &[]);
    // In this mode nobody is believed, so a list of whom to believe is a mistake.
    expect(&check(&["listen.mode=tls", named]), 78, &["trusted_proxies", "hint:"]);
    expect(&check(&["listen.mode=TLS"]), 78, &["TLS", "tls_proxy_v2", "http_behind_proxy"]);
}
