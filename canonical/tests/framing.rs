//! Rows of the threat catalogue about where a request ends (H1–H5, H17).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_canonical::{Framing, HEAD_MAX, Refused, TARGET_MAX};

fn judge(text: &[u8]) -> Result<usize, Refused> {
    Framing::new().release(text)
}

/// What is said of a request whether it comes whole or byte by byte.
fn verdict(text: &str) -> Result<usize, Refused> {
    let whole = judge(text.as_bytes());
    let (mut framing, mut pending, mut released) = (Framing::new(), Vec::new(), 0);
    let mut dripped = Ok(0);
    for &byte in text.as_bytes() {
        pending.push(byte);
        match framing.release(&pending) {
            Ok(count) => {
                pending.drain(..count);
                released += count;
                dripped = Ok(released);
            }
            Err(refused) => {
                dripped = Err(refused);
                break;
            }
        }
    }
    assert_eq!(whole.is_ok(), dripped.is_ok(), "{text:?}: {whole:?} whole, {dripped:?} dripped");
    whole
}

fn refused(text: &str) -> Option<Refused> {
    verdict(text).err()
}

#[test]
fn ordinary_requests_pass_whole() {
    for text in [
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /a?b=c HTTP/1.0\r\nHost: a.example\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00\r\nX-T: 1\r\n\r\n",
        "PROPFIND /dav HTTP/1.1\r\nHost: a\r\nDepth:1\r\nX:\t tab\t\r\n\r\n",
    ] {
        assert_eq!(verdict(text), Ok(text.len()), "{text:?}");
    }
}

#[test]
fn requests_that_follow_each_other_are_told_apart() {
    let first = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let second = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET /c HTTP/1.1\nHost: a\r\n\r\n";
    assert_eq!(verdict(&format!("{first}{second}")), Ok(first.len() + second.len()));
    // What is good is handed on; the rest never is.
    let (mut framing, all) = (Framing::new(), format!("{first}{second}{bad}"));
    let released = framing.release(all.as_bytes()).unwrap();
    assert_eq!(released, first.len() + second.len());
    assert_eq!(framing.refused(), Some(Refused::Head));
    assert!(!framing.is_in_body(), "an answer can follow those to the good requests");
    assert_eq!(framing.release(&all.as_bytes()[released..]), Err(Refused::Head));
}

#[test]
fn h01_a_length_with_two_readings_is_refused() {
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
    ] {
        assert_eq!(refused(&with(fields)), Some(Refused::Framing), "{fields}");
    }
}

#[test]
fn h02_line_ends_folds_and_control_characters_are_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(refused(text), Some(Refused::Head), "{text:?}");
    }
}

#[test]
fn h02_a_bare_line_feed_is_refused_before_the_head_is_complete() {
    assert_eq!(judge(b"GET / HTTP/1.1\nHost: a"), Err(Refused::Head));
    assert_eq!(judge(b"GET / HTTP/1.1\r\nHost: a\r"), Ok(0));
    assert_eq!(judge(b"\r"), Ok(0));
    assert_eq!(judge(b"\r\n"), Err(Refused::Head));
}

#[test]
fn h04_nothing_passes_behind_an_upgrade_until_it_is_answered() {
    let head =
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut early = head.to_vec();
    early.extend(b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n");
    let start = || {
        let mut framing = Framing::new();
        assert_eq!(framing.release(&early), Ok(head.len()));
        assert!(framing.is_upgrading());
        assert_eq!(framing.release(&early[head.len()..]), Ok(0));
        framing
    };
    let mut taken = start();
    taken.upgraded();
    assert_eq!(taken.release(b"\x81\x00anything"), Ok(10));
    let mut refused = start();
    refused.not_upgraded();
    assert_eq!(refused.release(&early[head.len()..]), Err(Refused::Framing));
    let with_body =
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(verdict(with_body), Err(Refused::Framing));
}

#[test]
fn h05_http_10_has_no_chunks_and_no_other_version_is_spoken() {
    let text = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(refused(text), Some(Refused::Framing));
    let kept = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n";
    assert_eq!(refused(kept), Some(Refused::Framing));
    let until_the_end = "POST / HTTP/1.0\r\nHost: a\r\n\r\nbody";
    assert_eq!(refused(until_the_end), Some(Refused::Framing));
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/1.1.1", "HTTP/11"] {
        assert_eq!(
            refused(&format!("GET / {version}\r\nHost: a\r\n\r\n")),
            Some(Refused::Version),
            "{version}"
        );
    }
    assert_eq!(refused("GET / http/1.1\r\nHost: a\r\n\r\n"), Some(Refused::Head));
}

#[test]
fn h06_methods_that_turn_the_connection_or_the_request_around_are_refused() {
    for line in ["CONNECT a:443 HTTP/1.1", "TRACE / HTTP/1.1", "TRACK / HTTP/1.1"] {
        assert_eq!(refused(&format!("{line}\r\nHost: a\r\n\r\n")), Some(Refused::Method), "{line}");
    }
}

#[test]
fn h07_exactly_one_host() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Some(Refused::Host));
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), Some(Refused::Host));
}

#[test]
fn h13_a_fragment_is_refused_where_it_comes() {
    assert_eq!(refused("GET /public#/../admin HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Refused::Target));
    assert_eq!(refused("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Refused::Target));
}

#[test]
fn h17_heads_and_targets_have_limits() {
    let field = format!("X: {}\r\n", "x".repeat(HEAD_MAX));
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n")), Some(Refused::HeadTooLarge));
    let many = "X: 1\r\n".repeat(101);
    assert_eq!(refused(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")), Some(Refused::HeadTooLarge));
    let target = "a".repeat(TARGET_MAX);
    assert_eq!(refused(&format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n")), Some(Refused::TargetTooLong));
    for length in [TARGET_MAX + 100, 2 * HEAD_MAX] {
        assert_eq!(refused(&"x".repeat(length)), Some(Refused::TargetTooLong));
    }
}

#[test]
fn h01_chunks_are_read_strictly() {
    let with = |body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n",
        "10000000000000000\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;\u{1}\r\nhello\r\n0\r\n\r\n",
        "0\r\nbad trailer\r\n\r\n",
        "0\r\n folded: x\r\n\r\n",
    ] {
        // The head is good and passes; the body does not.
        let text = with(body);
        let mut framing = Framing::new();
        let mut at = 0;
        let outcome = loop {
            match framing.release(&text.as_bytes()[at..]) {
                Ok(0) => break framing.refused(),
                Ok(count) => at += count,
                Err(refused) => break Some(refused),
            }
        };
        assert_eq!(outcome, Some(Refused::Framing), "{body:?}");
        assert!(framing.is_in_body(), "{body:?}: no answer could come in order");
    }
    let long = format!("5;{}", "x".repeat(20_000));
    assert!(judge(with(&long).as_bytes()).is_ok_and(|released| released < with(&long).len()));
}
