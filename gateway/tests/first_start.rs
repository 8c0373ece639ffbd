//! The first start, seen from a terminal.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_postern-gateway");

/// A gateway on a terminal of its own, and everything that stood there until it served.
struct OnTerminal {
    script: Child,
    seen: String,
}

impl OnTerminal {
    fn start(configuration: &Path) -> Self {
        let serve = format!("exec {PROGRAM} serve --config {}", configuration.display());
        let mut script = Command::new("script");
        script.args(["--quiet", "--flush", "--return", "--command", &serve, "/dev/null"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
            script.env_remove(name);
        }
        let mut script = script.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut seen = String::new();
        for line in BufReader::new(script.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            seen.push_str(&line);
            seen.push('\n');
            if line.starts_with("serving ") {
                break;
            }
        }
        Self { script, seen }
    }

    /// Asks the gateway itself to end.
    fn stop(mut self) {
        let script = self.script.id();
        let gateway = fs::read_to_string(format!("/proc/{script}/task/{script}/children")).unwrap();
        assert!(Command::new("kill").arg(gateway.trim()).status().unwrap().success());
        self.script.wait().unwrap();
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // Its terminal goes with it, which ends the gateway.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| word.starts_with("psb_"))
}

#[test]
fn a05_the_bootstrap_token_stands_once_on_the_terminal_and_in_a_file_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let (path, state) = (dir.path().join("gateway.toml"), dir.path().join("state"));
    let listen = "[listen]\naddress = \"127.0.0.1:0\"\n[internal]\naddress = \"127.0.0.1:0\"\n[log]\nlevel = \"trace\"\n";
    fs::write(&path, format!("public_url = \"https://127.0.0.1:0\"\nstate_dir = {state:?}\n{listen}"))
        .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = state.join("bootstrap-token");
    let token = || fs::read_to_string(&file).unwrap().trim().to_owned();

    let first = OnTerminal::start(&path);
    let shown: Vec<&str> = words(&first.seen).collect();
    assert_eq!(shown, [token()], "{}", first.seen);
    assert_eq!(first.seen.matches("psb_").count(), 1, "in no line of the log");
    assert!(first.seen.contains("once, for 15 minutes"), "{}", first.seen);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let old = token();
    first.stop();

    // Nobody came: the next start makes another one, and the old one is forgotten.
    let second = OnTerminal::start(&path);
    assert_eq!(words(&second.seen).collect::<Vec<_>>(), [token()]);
    assert_ne!(token(), old);
    second.stop();
}
