//! Sessions that outlive their link.

use crate::gateway::{Gateway, Refresh, Resource, Talk, code, postern, signed_in, signed_in_at, stderr};
use postern_client::home::Home;
use postern_ids::Refusal;
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

const DENIED: &str =
    r#"{"decision":"dec_00000000000000000000000000","message":"no rule allows it any more"}"#;

fn echo() -> Gateway {
    Gateway::start(Refresh::Works, Resource::Echo, &[])
}

fn status(home: &Home) -> serde_json::Value {
    let output = postern(home, &["status", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn t6_a_transfer_over_broken_links_has_every_byte_once() {
    const MIB: u32 = 1 << 20;
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut child = postern(&home, &["proxy", "bastion"]).stdin(Stdio::piped()).spawn().unwrap();
    let sent: Vec<u8> = (0..24 * MIB / 4).flat_map(u32::to_be_bytes).collect();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stdin.write_all(&sent).unwrap();
            drop(stdin);
        });
        // Broken in the middle of both directions, whatever is under way there.
        while stdout.by_ref().take(u64::from(3 * MIB / 2)).read_to_end(&mut received).unwrap() > 0 {
            gateway.break_links();
        }
    });
    assert!(received == sent, "{} of {} bytes came back", received.len(), sent.len());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert!(gateway.links() > 2, "{} links", gateway.links());
    assert_eq!(gateway.sessions(), 1, "the resource saw one connection");
}

#[test]
fn a_stream_that_the_gateway_lets_go_is_attached_again_at_once() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"before");
    gateway.detach();
    talk.exchange(b"on the same link");
    assert_eq!((gateway.links(), gateway.sessions()), (1, 1));
    gateway.go_away();
    gateway.detach();
    talk.exchange(b"on the next link");
    assert_eq!((gateway.links(), gateway.sessions()), (2, 1));
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn t6_a_refused_resume_ends_with_code_and_sentence() {
    for (refusal, detail, exit, sentence) in [
        (Refusal::Denied, DENIED, 77, "no rule allows it any more (dec_00000000000000000000000000)"),
        (Refusal::ResumeUnknown, "", 75, Refusal::ResumeUnknown.sentence()),
        (Refusal::ProofFailed, "", 77, Refusal::ProofFailed.sentence()),
        (Refusal::Revoked, "", 77, Refusal::Revoked.sentence()),
    ] {
        let gateway = echo();
        let (_dir, home) = signed_in(&gateway.url, -10, 900);
        let mut talk = Talk::begin(&home, &[]);
        talk.exchange(b"before");
        gateway.refuse_lanes(refusal, detail);
        gateway.break_links();
        let (code, stderr) = talk.end();
        assert_eq!(code, exit, "{refusal:?}: {stderr}");
        assert!(stderr.starts_with(&format!("postern: {sentence}\n")), "{refusal:?}: {stderr}");
    }
}

#[test]
fn a_refusal_that_may_pass_is_tried_again() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"before");
    gateway.refuse_lanes(Refusal::PolicyStale, "");
    gateway.break_links();
    gateway.wait_for_refusals(3);
    gateway.refuse_nothing();
    talk.exchange(b"after");
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn f27_a_stream_whose_window_is_over_is_75_and_says_what_was_wrong() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[("POSTERN_RESUME", "1")]);
    talk.exchange(b"before");
    gateway.die();
    let (code, stderr) = talk.end();
    assert_eq!(code, 75, "{stderr}");
    assert!(stderr.contains("was lost and could not be made again within 1 s: "), "{stderr}");
}

#[test]
fn without_resume_a_lost_link_ends_the_session() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[("POSTERN_RESUME", "off")]);
    talk.exchange(b"before");
    gateway.break_links();
    let (code, stderr) = talk.end();
    assert_eq!((code, stderr.as_str()), (75, "postern: the connection to the gateway was lost\n"));
    assert_eq!(gateway.links(), 1);
}

#[test]
fn f1_a_session_goes_on_at_the_next_gateway_when_its_own_is_dead() {
    let first = echo();
    let second = first.beside();
    let (_dir, home) = signed_in_at(&[&first, &second]);
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"before");
    assert_eq!((first.links(), second.links()), (1, 0));
    first.die();
    talk.exchange(b"after");
    assert_eq!((first.links(), second.links(), first.sessions()), (1, 1, 1));
    first.live_again();
    second.die();
    talk.exchange(b"and back");
    assert_eq!((first.links(), second.links(), first.sessions()), (2, 1, 1));
    assert_eq!(talk.finish(), (0, String::new()));
}

#[test]
fn a_gateway_that_cannot_serve_passes_sessions_on_to_the_next() {
    let first = echo();
    let second = first.beside();
    let (_dir, home) = signed_in_at(&[&first, &second]);
    first.refuse_lanes(Refusal::TryNext, "");
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"begun at the second");
    assert_eq!((first.links(), second.links()), (1, 1));
    first.refuse_nothing();
    second.refuse_lanes(Refusal::TryNext, "");
    second.break_links();
    talk.exchange(b"gone on at the first");
    assert_eq!(first.sessions(), 1);
    assert_eq!(talk.finish(), (0, String::new()));
    first.refuse_lanes(Refusal::TryNext, "");
    let output = postern(&home, &["proxy", "bastion"]).output().unwrap();
    assert_eq!(code(&output), 75, "nobody is left: {}", stderr(&output));
}

#[test]
fn a_long_outage_is_told_once_on_standard_error_and_stands_in_status() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let mut talk = Talk::begin(&home, &[]);
    talk.exchange(b"before");
    gateway.die();
    let mut told = BufReader::new(talk.child.stderr.take().unwrap()).lines();
    let mut next = || told.next().unwrap().unwrap();
    assert_eq!(next(), "postern: connection lost, reconnecting …");
    let status = status(&home);
    let stream = &status["streams"][0];
    assert_eq!(status["reachable"], false);
    assert_eq!(
        (&stream["resource"], &stream["streams"], &stream["reconnecting"]),
        (&"bastion".into(), &1.into(), &1.into())
    );
    assert!(stream["reconnecting_since"].is_string());
    let text = postern(&home, &["status"]).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("streams  1 to bastion, reconnecting since "));
    gateway.live_again();
    assert_eq!(next(), "postern: connected again");
    talk.exchange(b"after");
    assert_eq!(talk.finish(), (0, String::new()));
    assert!(told.next().is_none());
}

#[test]
fn o13_a_file_tells_of_a_stream_while_its_command_lives() {
    let gateway = echo();
    let (_dir, home) = signed_in(&gateway.url, -10, 900);
    let files = || {
        let files = std::fs::read_dir(home.dir().join("run")).into_iter().flatten();
        files.map(|file| file.unwrap().metadata().unwrap().permissions().mode() & 0o777).collect::<Vec<_>>()
    };
    let mut finished = Talk::begin(&home, &[]);
    finished.exchange(b"x");
    eventually(|| files() == [0o600]);
    assert_eq!(finished.finish(), (0, String::new()));
    assert_eq!(files(), [0; 0], "gone with its command");
    let mut killed = Talk::begin(&home, &[]);
    killed.exchange(b"x");
    eventually(|| files() == [0o600]);
    assert_eq!(status(&home)["streams"][0]["reconnecting"], 0);
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert_eq!(files(), [0o600], "nobody removed it");
    assert_eq!(status(&home)["streams"], serde_json::json!([]));
    assert_eq!(files(), [0; 0], "the next command did");
}

/// Waits for what another process does in its own time.
fn eventually(holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < end, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
