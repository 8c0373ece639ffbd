//! The program itself: its exit codes, its files, its signals.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_postern-gateway");

fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn config(dir: &Path, more: &str) -> PathBuf {
    let path = dir.join("gateway.toml");
    let state = dir.join("state");
    let text = format!(
        "public_url = \"https://127.0.0.1:0\"\nstate_dir = {state:?}\n{more}\n\
         [listen]\naddress = \"127.0.0.1:0\"\n[internal]\naddress = \"127.0.0.1:0\"\n"
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn check(path: &Path) -> Output {
    program().arg("check-config").arg("--config").arg(path).output().unwrap()
}

/// A gateway that serves, with the first lines that it printed.
pub(crate) struct Serving {
    pub(crate) child: Child,
    printed: Vec<String>,
}

impl Serving {
    pub(crate) fn start(path: &Path) -> Self {
        Self::start_with(path, Stdio::null())
    }

    fn start_with(path: &Path, log: Stdio) -> Self {
        let mut child = program()
            .arg("serve")
            .arg("--config")
            .arg(path)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            printed.push(line.unwrap());
            if printed.last().is_some_and(|line| line.starts_with("serving ")) {
                break;
            }
        }
        Self { child, printed }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn wrong_usage_ends_with_64_and_help_with_0() {
    assert_eq!(program().arg("--bogus").output().unwrap().status.code(), Some(64));
    assert_eq!(program().output().unwrap().status.code(), Some(64));
    let help = program().arg("--help").output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    let version = program().arg("version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("postern-gateway "));
}

#[test]
fn l06_a_wrong_configuration_ends_with_78_and_every_mistake() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(check(&config(dir.path(), "")).status.code(), Some(0));
    let bad = check(&config(dir.path(), "master_key = \"x\"\nlog.level = \"loud\"\n"));
    assert_eq!(bad.status.code(), Some(78));
    let text = String::from_utf8_lossy(&bad.stderr);
    assert!(
        text.contains("gateway.toml:3") && text.contains("gateway.toml:4") && text.contains("hint:"),
        "{text}"
    );
    let absent = check(&dir.path().join("absent.toml"));
    assert_eq!(absent.status.code(), Some(78));
}

#[test]
fn c03_a_console_inside_the_domain_of_applications_ends_with_78() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        config(dir.path(), "gateways = [\"https://x.apps.example\"]\napps_domain = \"apps.example\"\n");
    let bad = check(&path);
    assert_eq!(bad.status.code(), Some(78));
    let text = String::from_utf8_lossy(&bad.stderr);
    assert!(text.contains("gateway.toml:4") && text.contains("hint:") && text.contains("inside"), "{text}");
    let served = program().arg("serve").arg("--config").arg(&path).output().unwrap();
    assert_eq!(served.status.code(), Some(78));
    let path =
        config(dir.path(), "gateways = [\"https://x.example.com\"]\napps_domain = \"apps.example.com\"\n");
    let shared = check(&path);
    assert_eq!(shared.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&shared.stderr).contains("warning: "));
}

#[test]
fn l06_a_state_directory_that_others_may_read_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path(), "");
    let state = dir.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let served = program().arg("serve").arg("--config").arg(&path).output().unwrap();
    assert_eq!(served.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&served.stderr).contains("chmod 700"));
}

#[test]
fn j15_a_master_key_that_others_know_ends_with_78_and_says_how_to_make_one() {
    let zeros = "A".repeat(43);
    let words = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIGE";
    let published = "YD3rEBXKcb4rc67whX13gR81LAc7YQjXLZgQowkU3_Q";
    for (key, told) in [(zeros.as_str(), "repeat"), (words, "text"), (published, "public document")] {
        let dir = tempfile::tempdir().unwrap();
        let path = config(dir.path(), "");
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        let file = state.join("master.key");
        fs::write(&file, format!("postern-master-key-v1:{key}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let served = program().arg("serve").arg("--config").arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&served.stderr);
        assert_eq!(served.status.code(), Some(78), "{text}");
        assert!(text.contains(told) && text.contains("/dev/urandom") && !text.contains(key), "{text}");
        assert!(!state.join("addresses.json").exists());
    }
}

#[test]
fn a_gateway_serves_keeps_its_secrets_close_reloads_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = config(dir.path(), "");
    let mut serving = Serving::start(&path);
    let state = dir.path().join("state");
    let mode = |name: &str| fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("bootstrap-token"), 0o600);
    assert_eq!(mode("master.key"), 0o600);
    assert_eq!(mode("."), 0o700);
    let token = fs::read_to_string(state.join("bootstrap-token")).unwrap();
    assert!(token.starts_with("psb_"));
    assert!(!serving.printed.iter().any(|line| line.contains(token.trim())), "a pipe is no terminal");
    assert!(serving.printed.iter().any(|line| line.contains("CA fingerprint")));
    let addresses: serde_json::Value =
        serde_json::from_slice(&fs::read(state.join("addresses.json")).unwrap()).unwrap();
    let public = addresses["public"].as_str().unwrap().to_owned();
    assert_eq!(addresses["public_url"], format!("https://{public}"));

    let second = program().arg("serve").arg("--config").arg(&path).output().unwrap();
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));

    serving.signal("-HUP");
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert!(std::net::TcpStream::connect(&public).is_err());

    let again = Serving::start(&path);
    assert_eq!(again.printed[0], serving.printed[0], "the authority outlives the process");
}

/// A certificate for this machine, good from and until so many days from now.
fn certificate(from: i64, until: i64) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let day = |days: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(days * 24);
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |part: i8| u8::try_from(part).unwrap();
        rcgen::date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    (params.not_before, params.not_after) = (day(from), day(until));
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn f24_a_certificate_that_has_ended_is_presented_on_and_worse_ones_are_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    let lay = |(certificate, secret): &(String, String)| {
        fs::write(&chain, certificate).unwrap();
        fs::write(&key, secret).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let ended = certificate(-90, -1);
    lay(&ended);
    let path = dir.path().join("gateway.toml");
    let state = dir.path().join("state");
    fs::write(
        &path,
        format!(
            "public_url = \"https://127.0.0.1:0\"\nstate_dir = {state:?}\n[listen]\naddress = \"127.0.0.1:0\"\n\
             [internal]\naddress = \"127.0.0.1:0\"\n[tls]\ncertificate = {chain:?}\nkey = {key:?}\n"
        ),
    )
    .unwrap();
    let log = dir.path().join("log");
    let serving = Serving::start_with(&path, fs::File::create(&log).unwrap().into());
    let addresses: serde_json::Value =
        serde_json::from_slice(&fs::read(state.join("addresses.json")).unwrap()).unwrap();
    let public = addresses["public"].as_str().unwrap().to_owned();
    let logged = |words: &str| fs::read_to_string(&log).unwrap().matches(words).count();
    let presents = |certificate: &str| presented(&public) == leaf_in(certificate);
    let told = |words: &str, times: usize| {
        let since = std::time::Instant::now();
        while logged(words) < times {
            let is_late = since.elapsed() > std::time::Duration::from_secs(30);
            assert!(!is_late, "{words}: {}", fs::read_to_string(&log).unwrap());
            std::thread::yield_now();
        }
    };
    let reloaded = |serving: &Serving, words: &str, times: usize| {
        serving.signal("-HUP");
        told(words, times);
    };
    // Whoever can renew it is told.
    told("certificate.expired", 1);
    assert!(presents(&ended.0), "better than nobody");

    let good = certificate(-1, 90);
    lay(&good);
    reloaded(&serving, "read again", 1);
    assert!(presents(&good.0));
    // A certificate that has ended, one that is not good yet, another one's key, half a file: each leaves what is there.
    let half = (good.0[..good.0.len() / 2].to_owned(), good.1.clone());
    let foreign = (certificate(-1, 90).0, good.1.clone());
    for (times, bad) in [ended, certificate(2, 90), foreign, half].iter().enumerate() {
        lay(bad);
        reloaded(&serving, "the certificate is not usable: nothing changed", times + 1);
        assert!(presents(&good.0));
    }
    lay(&certificate(-80, 2));
    reloaded(&serving, "certificate.ends_soon", 1);
    assert!(!presents(&good.0));
}

/// The leaf that somebody who believes everything is shown.
fn presented(address: &str) -> Vec<u8> {
    let asked = Command::new("openssl")
        .args(["s_client", "-connect", address, "-showcerts"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    leaf_in(&String::from_utf8_lossy(&asked.stdout))
}

/// The first certificate in a text.
fn leaf_in(pem: &str) -> Vec<u8> {
    use rustls_pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}
