//! What stops a connector before it does anything: files and settings that are not as they should be (L6). Each ends with 78 and
//! the cure.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use postern_token::{
    EnrolmentToken,
    opaque::{Opaque, OpaqueKind},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

const CONFIG: i32 = 78;

struct Machine {
    home: TempDir,
}

/// How a command ended, and what it said.
type Ended = (Option<i32>, String);

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("state")).unwrap();
        let machine = Self { home };
        machine.chmod("state", 0o700);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.chmod(name, mode);
        self.path(name)
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern-connector"));
        command.env_clear().env("HOME", self.home.path()).args(arguments);
        command
    }

    fn run(&self, state: &str, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).arg("--state-dir").arg(self.path(state)))
    }
}

/// One that is well-formed; nobody listens where it leads.
fn token() -> String {
    let secret = Opaque::from_entropy(OpaqueKind::Enrolment, [7; 32]);
    EnrolmentToken { url: "https://127.0.0.1:1".to_owned(), ca_sha256: Some([7; 32]), secret }.to_string()
}

fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn assert_stopped(ended: &Ended, words: &[&str]) {
    let (code, text) = ended;
    assert_eq!(*code, Some(CONFIG), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not told: {text}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn l06_a_state_directory_that_is_linked_or_open_stops_the_start() {
    let machine = Machine::new();
    symlink(machine.path("state"), machine.path("link")).unwrap();
    fs::create_dir(machine.path("open")).unwrap();
    machine.chmod("open", 0o755);
    for arguments in [&["run"][..], &["enroll", "--allow", "10.0.0.0/8:*"]] {
        assert_stopped(&machine.run("link", arguments), &["link"]);
        assert_stopped(&machine.run("open", arguments), &["chmod 700"]);
    }
}

#[test]
fn l06_a_key_that_others_may_read_is_not_used() {
    let machine = Machine::new();
    machine.write("state/key.pk8", "a key", 0o644);
    let token = machine.write("token", &token(), 0o600);
    assert_stopped(
        &machine.run("state", &["enroll", "--token-file", text(&token)]),
        &["key.pk8", "chmod 600"],
    );
}

#[test]
fn l06_a_token_file_that_every_account_may_read_is_not_used() {
    let machine = Machine::new();
    for mode in [0o644, 0o604, 0o602] {
        let token = machine.write("token", &token(), mode);
        for verb in ["run", "enroll"] {
            let stopped = machine.run("state", &[verb, "--token-file", text(&token)]);
            assert_stopped(&stopped, &["chmod 600", "token"]);
        }
    }
    assert!(!machine.path("state/key.pk8").exists(), "nothing was begun");
    // A group may be how a container gets it: refused by nobody here, but by nobody's gateway there.
    let token = machine.write("token", &token(), 0o640);
    let (code, text) = machine.run("state", &["enroll", "--token-file", text(&token)]);
    assert_eq!(code, Some(75), "{text}");
}

#[test]
fn l06_a_configuration_that_others_may_change_is_refused() {
    let machine = Machine::new();
    for mode in [0o666, 0o622, 0o664] {
        let file = machine.write("connector.toml", "allow = [\"10.0.0.0/8:*\"]\n", mode);
        for verb in ["run", "enroll", "status"] {
            assert_stopped(&machine.run("state", &[verb, "--config", text(&file)]), &["chmod go-w"]);
        }
    }
}

#[test]
fn l06_an_unknown_key_is_an_error_with_its_line() {
    let machine = Machine::new();
    let file = machine.write("connector.toml", "allow = []\nalow = [\"10.0.0.0/8:*\"]\n", 0o644);
    assert_stopped(&machine.run("state", &["run", "--config", text(&file)]), &["alow", "line 2"]);
    let file = machine.write("connector.toml", "[limits]\nsession_max = 1\n", 0o644);
    assert_stopped(&machine.run("state", &["run", "--config", text(&file)]), &["session_max"]);
}

#[test]
fn l06_a_variable_with_a_slip_in_its_name_is_an_error_and_those_that_are_documented_count() {
    let machine = Machine::new();
    let slip = ended(machine.command(&["run"]).env("POSTERN_ALOW", "10.0.0.0/8:*"));
    assert_stopped(&slip, &["POSTERN_ALOW", "POSTERN_ALLOW"]);
    // Each of these would change how the command ends if it did not count.
    let open = machine.write("open.toml", "", 0o666);
    assert_stopped(&ended(machine.command(&["run"]).env("POSTERN_CONFIG", &open)), &["chmod go-w"]);
    machine.chmod("state", 0o755);
    let state = machine.path("state");
    assert_stopped(&ended(machine.command(&["run"]).env("POSTERN_STATE_DIR", &state)), &["chmod 700"]);
    machine.chmod("state", 0o700);
    let token = machine.write("token", &token(), 0o644);
    let with = |name: &str, value: &Path| {
        ended(machine.command(&["enroll"]).env("POSTERN_STATE_DIR", &state).env(name, value))
    };
    assert_stopped(&with("POSTERN_TOKEN_FILE", &token), &["chmod 600"]);
    let (code, text) = with("POSTERN_TOKEN", Path::new("no token"));
    assert_eq!(code, Some(77), "{text}");
    for (name, value) in [("POSTERN_ALLOW", "nonsense"), ("POSTERN_NAME", "-")] {
        let (code, text) = ended(machine.command(&["run"]).env(name, value));
        assert_eq!(code, Some(64), "{name}: {text}");
    }
}

#[test]
fn t11_a_token_is_not_taken_from_the_command_line_where_other_accounts_see_it() {
    let machine = Machine::new();
    let token = token();
    for verb in ["enroll", "run"] {
        for arguments in [&["--token", token.as_str()][..], &[token.as_str()]] {
            let arguments = [&[verb], arguments].concat();
            let (code, text) = machine.run("state", &arguments);
            assert_eq!(code, Some(64), "{verb}: {text}");
        }
    }
}
