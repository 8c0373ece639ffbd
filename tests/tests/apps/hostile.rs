//! Applications that answer what they may not, and browsers that ask it: neither confuses anybody else's requests.

use crate::support::code;
use anyhow::{Context, Result};
use postern_tests::apps::{Hostile, Scene, Visitor};
use postern_tests::{Raw, raw, scenario};
use std::io::Write;
use std::time::{Duration, Instant};

/// A head of this many fields is nobody's.
const FIELDS: usize = 1_000_000;

fn publish(scene: &Scene, alice: &Visitor, name: &str, app: &Hostile, web: &str) -> Result<()> {
    scene.publish(name, &app.target(), web)?;
    // Signed in there without asking the application anything.
    alice.visit(&scene.url(name, "/.postern/sign-in?next=/.postern/whoami"))?.expect(200)?;
    Ok(())
}

#[test]
fn h19_an_answer_that_can_be_read_in_two_ways_is_read_in_none() -> Result<()> {
    scenario("apps-h19", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let bad: Vec<(&str, Vec<u8>)> = vec![
            (
                "both-lengths",
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                    .to_vec(),
            ),
            (
                "two-lengths",
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".to_vec(),
            ),
            ("bad-length", b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc".to_vec()),
            ("not-http", b"220 mail.example.com ESMTP\r\n\r\n".to_vec()),
            ("silence", Vec::new()),
            (
                "many-interim",
                [
                    b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000),
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
                ]
                .concat(),
            ),
            (
                "switches",
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello"
                    .to_vec(),
            ),
        ];
        for (name, bytes) in bad {
            let app = Hostile::saying(bytes)?;
            publish(&scene, &alice, name, &app, "{}")?;
            let answer = alice.fetch(&scene.url(name, "/"))?;
            assert_eq!((answer.status, code(&answer)?.as_str()), (502, "bad_answer"), "{name}");
        }
        let memory = |when: &str| -> Result<u64> {
            let status = std::fs::read_to_string(format!("/proc/{}/status", scene.gateway().pid()))?;
            let line =
                status.lines().find(|line| line.starts_with("VmRSS:")).with_context(|| when.to_owned())?;
            Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
        };
        let before = memory("before")?;
        let flood = Hostile::start(|stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            let line = b"X-More: of the same\r\n".repeat(1000);
            for _ in 0..FIELDS / 1000 {
                if stream.write_all(&line).is_err() {
                    break;
                }
            }
            false
        })?;
        publish(&scene, &alice, "flood", &flood, "{}")?;
        let answer = alice.fetch(&scene.url("flood", "/"))?.expect(502)?;
        assert_eq!(code(&answer)?, "bad_answer");
        let grown = memory("after")?.saturating_sub(before);
        assert!(grown < 20 * 1024, "{grown} KiB more after a head without end");
        // The others go on.
        alice.fetch(&scene.url("alpha", "/headers"))?.expect(200)?;
        Ok(())
    })
}

#[test]
fn h19_a_body_that_breaks_its_word_is_broken_off_and_its_connection_is_not_used_again() -> Result<()> {
    scenario("apps-h19-bodies", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        for (name, bytes) in [
            ("bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"),
            ("no-last-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
            ("short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        ] {
            let app = Hostile::saying(bytes)?;
            publish(&scene, &alice, name, &app, "{}")?;
            let ran = alice.curl(&[&scene.url(name, "/")])?.output()?;
            assert!(!ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stdout));
        }
        // More than was announced stays where it is: it is not the answer to the next request.
        let app = Hostile::start(|stream, head| {
            let body = if head.contains("/first") {
                "abcHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
            } else {
                "own"
            };
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}").as_bytes()).is_ok()
        })?;
        publish(&scene, &alice, "more", &app, "{}")?;
        for _ in 0..5 {
            assert_eq!(alice.fetch(&scene.url("more", "/first"))?.expect(200)?.body, "abc");
            assert_eq!(alice.fetch(&scene.url("more", "/second"))?.expect(200)?.body, "own");
        }
        // A head at once and then nothing: given up when nothing moves, without waiting for the application.
        let hang = Hostile::start(|stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
            std::thread::sleep(Duration::from_secs(60));
            false
        })?;
        publish(&scene, &alice, "hang", &hang, "{timeouts: {response_s: 5, idle_s: 1}}")?;
        let began = Instant::now();
        let ran = alice.curl(&[&scene.url("hang", "/")])?.output()?;
        assert!(!ran.status.success() && began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        Ok(())
    })
}

#[test]
fn h03_what_follows_an_early_answer_is_never_taken_for_a_request() -> Result<()> {
    scenario("apps-h03", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let authority = scene.authority("alpha");
        let cookie = alice.cookie_line(&authority)?;
        let name = authority.split(':').next().unwrap_or_default();
        let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\n\r\n");
        // The body is a whole request, and is answered early, or refused for want of a cookie.
        for (path, cookie) in
            [("/early", cookie.as_str()), ("/early", "none=1"), ("/.postern/x", cookie.as_str())]
        {
            let mut connection = Raw::open(scene.gateway(), "http/1.1", name)?;
            let length = smuggled.len() + 200_000;
            connection.send(format!(
                "POST {path} HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{smuggled}"
            ));
            let answered = |bytes: &[u8]| raw::answers(bytes).ok().filter(|answers| !answers.is_empty());
            connection.until("an early answer", answered).with_context(|| path.to_owned())?;
            connection.send(vec![b' '; 200_000]);
            connection.send(format!("GET /next HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"));
            connection.until_closed()?;
        }
        let seen = scene.app.seen()?;
        assert!(!seen.iter().any(|line| line.contains("smuggled")), "{seen:?}");
        Ok(())
    })
}

#[test]
fn h04_bytes_behind_an_upgrade_that_is_refused_are_nobodys_request() -> Result<()> {
    scenario("apps-h04", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let authority = scene.authority("alpha");
        let cookie = alice.cookie_line(&authority)?;
        let name = authority.split(':').next().unwrap_or_default();
        let mut connection = Raw::open(scene.gateway(), "http/1.1", name)?;
        connection.send(format!(
            "GET /refused HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
             GET /smuggled HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\n\r\n"
        ));
        connection.until_closed()?;
        let seen = scene.app.seen()?;
        assert!(!seen.iter().any(|line| line.contains("smuggled")), "{seen:?}");
        Ok(())
    })
}
