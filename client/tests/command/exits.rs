//! Exit codes, and what stands on which stream.

use crate::gateway::{Gateway, Refresh, Resource, code, nobody, postern, signed_in, stderr};
use postern_client::home::Tokens;
use postern_ids::{Ended, Refusal};
use std::{
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    let (_dir, home) = nobody();
    for args in [
        &["frobnicate"][..],
        &["proxy"],
        &["ssh", "-oProxyCommand=id"],
        &["get", "secrets"],
        &["forward", "db"],
        &[],
    ] {
        let output = postern(&home, args).output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["ssh", "--help"], &["completions", "bash"]] {
        let output = postern(&home, args).output().unwrap();
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_command_alone_shows_its_help() {
    let (_dir, home) = nobody();
    for args in [&[][..], &["users"], &["host-keys"]] {
        let output = postern(&home, args).output().unwrap();
        assert_eq!(code(&output), 64, "{args:?}");
        assert!(stderr(&output).contains("Commands:"), "{args:?}: {}", stderr(&output));
    }
    let output = postern(&home, &["explain"]).env("POSTERN_TOKEN", "pst_x").output().unwrap();
    assert!(stderr(&output).contains("next: export POSTERN_GATEWAY="), "{}", stderr(&output));
}

#[test]
fn s2_a_host_that_a_shell_could_read_is_64_and_runs_nothing() {
    let (dir, home) = nobody();
    let witness = dir.path().join("witness");
    let touch = format!("$(touch {})", witness.display());
    for host in [touch.as_str(), "`id`", "a\nb", "-oProxyCommand=id", "a b", "%h"] {
        for subcommand in ["proxy", "ssh", "known-hosts"] {
            let output = postern(&home, &[subcommand, "--", host]).output().unwrap();
            assert_eq!(code(&output), 64, "{subcommand} {host:?}: {}", stderr(&output));
        }
    }
    assert!(!witness.exists());
}

#[test]
fn without_a_sign_in_every_command_says_so_in_one_breath() {
    let (_dir, home) = nobody();
    for args in [&["proxy", "bastion"][..], &["ls"], &["whoami"], &["users", "ls", "--json"], &["status"]] {
        let output = postern(&home, args).output().unwrap();
        assert_eq!(code(&output), 77, "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(stderr(&output).contains("next: postern login"), "{}", stderr(&output));
    }
}

#[test]
fn o13_a_token_file_that_others_may_read_is_not_used() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let path = home.dir().join("tokens.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = postern(&home, &["proxy", "bastion"]).output().unwrap();
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("chmod 600"), "{}", stderr(&output));
    assert_eq!(gateway.links(), 0, "the token was not sent");
}

#[test]
fn o13_nothing_that_lies_in_the_working_directory_is_used() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &[]);
    let (planted, state) = signed_in(&gateway.url, -10, 900);
    let (_dir, own) = nobody();
    for place in [state.dir(), planted.path()] {
        let mut command = postern(&own, &["proxy", "bastion"]);
        let output = command.env_remove("POSTERN_HOME").current_dir(place).output().unwrap();
        assert_eq!(code(&output), 77, "{}", stderr(&output));
    }
    assert_eq!(gateway.links(), 0);
}

#[test]
fn a_proxy_carries_bytes_and_nothing_else_and_keeps_half_close() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &[]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut child = postern(&home, &["proxy", "bastion.postern"]).stdin(Stdio::piped()).spawn().unwrap();
    let request = b"all of this, and then the end ".repeat(10_000);
    child.stdin.take().unwrap().write_all(&request).unwrap();
    let mut answer = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    assert!(answer == request.to_ascii_uppercase(), "{} bytes came back", answer.len());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output), "");
    assert_eq!(gateway.refreshes(), 0, "a fresh token asks nobody");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (_dir, home) = nobody();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = postern(&home, &["completions", "bash"]).stdout(writer).output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn a_denied_proxy_is_77_with_the_decision_and_a_next_step() {
    let detail = r#"{"decision":"dec_00000000000000000000000000","message":"no rule allows alice to connect to bastion"}"#;
    for (refusal, exit) in [
        (Refusal::Denied, 77),
        (Refusal::NoSuchResource, 69),
        (Refusal::NoConnector, 75),
        (Refusal::TargetNotAllowed, 77),
    ] {
        let gateway = Gateway::start(Refresh::Works, Resource::Refused(refusal, detail), &[]);
        let (_dir, home) = signed_in(&gateway.url, -10, 900);
        let output = postern(&home, &["proxy", "bastion"]).output().unwrap();
        assert_eq!(code(&output), exit, "{refusal:?}");
        assert!(output.stdout.is_empty());
        assert_eq!(
            stderr(&output),
            "postern: no rule allows alice to connect to bastion (dec_00000000000000000000000000)\n  \
             next: postern explain dec_00000000000000000000000000\n"
        );
    }
}

#[test]
fn a_session_that_is_cut_ends_with_the_reason_its_decision_and_a_next_step() {
    for (ended, exit, next) in [
        (Ended::Revoked, 77, "\n  next: postern ls"),
        (Ended::SignedOut, 77, "\n  next: postern login"),
        (Ended::UserDisabled, 77, ""),
        (Ended::ConnectorLost, 75, ""),
    ] {
        let gateway = Gateway::start(Refresh::Works, Resource::Cut(ended), &[]);
        let (_dir, home) = signed_in(&gateway.url, -10, 900);
        let mut child = postern(&home, &["proxy", "bastion"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut hello = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut hello).unwrap();
        stdin.write_all(b"x").unwrap();
        // Standard input stays open: the end comes from the other side.
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), exit, "{}", stderr(&output));
        let sentence = format!("postern: {} (dec_00000000000000000000000000){next}\n", ended.sentence());
        assert_eq!(stderr(&output), sentence);
        drop(stdin);
    }
}

#[test]
fn host_keys_are_known_to_ssh_before_its_first_byte() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &["ssh-ed25519 AAAAC3Nz"]);
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    assert_eq!(code(&postern(&home, &["proxy", "bastion"]).output().unwrap()), 0);
    let output = postern(&home, &["known-hosts", "bastion.postern"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "bastion.postern ssh-ed25519 AAAAC3Nz\n");
}

#[test]
fn many_commands_with_an_expired_token_refresh_it_once() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &[]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    let children: Vec<_> = (0..8).map(|_| postern(&home, &["proxy", "bastion"]).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
    assert_eq!((gateway.refreshes(), gateway.links()), (1, 8));
    let kept = Tokens::load(&home, &gateway.url).unwrap().unwrap();
    assert_eq!(kept.access_token, "new-access");
}

#[test]
fn an_expired_sign_in_without_a_terminal_is_77_in_one_line_and_opens_nothing() {
    let gateway = Gateway::start(Refresh::Ended, Resource::Shout, &[]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    let output = postern(&home, &["proxy", "bastion"]).output().unwrap();
    assert_eq!(code(&output), 77);
    assert!(output.stdout.is_empty());
    assert_eq!(stderr(&output), "postern: your sign-in expired; sign in again with `postern login`\n");
    assert_eq!(gateway.links(), 0);
}

#[test]
fn a_gateway_that_cannot_refresh_now_is_75_and_keeps_the_sign_in() {
    let gateway = Gateway::start(Refresh::Fails, Resource::Shout, &[]);
    let (_dir, home) = signed_in(&gateway.url, -1_000, -100);
    let output = postern(&home, &["ls"]).output().unwrap();
    assert_eq!(code(&output), 75, "{}", stderr(&output));
    assert!(Tokens::load(&home, &gateway.url).unwrap().is_some());
}

#[test]
fn a_token_past_half_its_life_is_renewed_beside_the_session() {
    let gateway = Gateway::start(Refresh::Works, Resource::Cut(Ended::Revoked), &[]);
    let (_dir, home) = signed_in(&gateway.url, -600, 300);
    let mut child = postern(&home, &["proxy", "bastion"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut hello = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut hello).unwrap();
    let renewed = || {
        Tokens::load(&home, &gateway.url).unwrap().is_some_and(|tokens| tokens.access_token == "new-access")
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !renewed() {
        assert!(std::time::Instant::now() < end, "the token was not renewed");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stdin.write_all(b"x").unwrap();
    child.wait_with_output().unwrap();
}

#[test]
fn a_service_account_needs_no_sign_in() {
    let gateway = Gateway::start(Refresh::Ended, Resource::Shout, &[]);
    let (_dir, home) = nobody();
    let mut command = postern(&home, &["proxy", "bastion"]);
    let output = command.env("POSTERN_TOKEN", "pst_x").env("POSTERN_GATEWAY", &gateway.url).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let kept =
        std::fs::read_dir(home.dir()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "run");
    assert_eq!(kept.count(), 0, "nothing is kept");
}

#[test]
fn whoever_would_be_the_first_owner_of_a_gateway_that_has_one_is_77_and_tries_in_vain() {
    let gateway = Gateway::start(Refresh::Works, Resource::Shout, &[]);
    let (dir, home) = nobody();
    let file = dir.path().join("line");
    std::fs::write(&file, "psb_token and a long password\n").unwrap();
    let file = file.display().to_string();
    let args = ["login", "--gateway", &gateway.url, "--username", "mallory"];
    let output =
        postern(&home, &args).args(["--bootstrap-file", &file, "--password-file", &file]).output().unwrap();
    let told = "postern: this installation has its owner already\n  next: sign in as an owner\n";
    assert_eq!((code(&output), stderr(&output).as_str()), (77, told));
}
