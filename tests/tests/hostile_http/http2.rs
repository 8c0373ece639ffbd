//! What HTTP/2 can carry and HTTP/1 cannot, connections for another host, and floods (H8, H9, H15, H21).

use super::{with_gateway, with_options};
use anyhow::{Context, Result};
use postern_tests::h2::{self, END_HEADERS, END_STREAM, Frame, kind};
use postern_tests::{Gateway, GatewayOptions, Raw, raw, tools};

/// `ENHANCE_YOUR_CALM`.
const CALM: u32 = 11;
/// How much a gateway may grow for one attacker.
const GROWTH_MAX_KIB: u64 = 10 * 1024;

fn open(gateway: &Gateway, settings: &[(u16, u32)]) -> Result<Raw> {
    let mut raw = Raw::open(gateway, "h2", "")?;
    raw.send(h2::hello(settings));
    Ok(raw)
}

/// The first frame for which `find` holds.
fn await_frame(raw: &Raw, what: &str, find: impl Fn(&Frame) -> bool) -> Result<Frame> {
    raw.until(what, |heard| h2::frames(heard).into_iter().find(|frame| find(frame)))
}

fn await_goaway(raw: &Raw, what: &str) -> Result<u32> {
    let goaway = await_frame(raw, what, |frame| frame.kind == kind::GOAWAY)?;
    goaway.error().context("a GOAWAY without a reason")
}

/// A good request on a connection of its own is answered with 200.
fn is_healthy(gateway: &Gateway) -> Result<()> {
    let mut raw = open(gateway, &[])?;
    raw.send(h2::request(1, END_STREAM, ("GET", gateway.public_address(), "/sign-in"), &[]));
    let head = await_frame(&raw, "an answer", |frame| frame.kind == kind::HEADERS)?;
    anyhow::ensure!(h2::status(&head) == Some(200), "{head:?}");
    Ok(())
}

/// The status of the answer, or `None` where the stream or the connection is ended as an error of the protocol.
fn outcome(gateway: &Gateway, head: &[u8], what: &str) -> Result<Option<u16>> {
    let mut raw = open(gateway, &[])?;
    raw.send(head);
    let ends = [kind::HEADERS, kind::RST_STREAM, kind::GOAWAY];
    let frame = await_frame(&raw, what, |frame| ends.contains(&frame.kind))?;
    if frame.kind == kind::HEADERS {
        return Ok(Some(h2::status(&frame).with_context(|| format!("no status in {frame:?}"))?));
    }
    assert_ne!(frame.error(), Some(0), "{what}: {frame:?}");
    Ok(None)
}

#[test]
fn h07_an_authority_and_a_host_that_differ_are_refused() -> Result<()> {
    with_gateway("h07-h2", |gateway, _| {
        let host = gateway.public_address();
        let ask = |authority: &str, more: &[(&str, &str)]| {
            let head = h2::request(1, END_STREAM, ("GET", authority, "/sign-in"), more);
            outcome(gateway, &head, &format!("{authority} {more:?}"))
        };
        assert_eq!(ask(host, &[("host", host)])?, Some(200));
        for (authority, more) in [
            (host, [("host", "other.example")]),
            ("other.example", [("host", host)]),
            ("a@b", [("x", "y")]),
            ("a.", [("x", "y")]),
            ("a:80:80", [("x", "y")]),
            ("", [("x", "y")]),
        ] {
            let outcome = ask(authority, &more)?;
            assert!(matches!(outcome, None | Some(400)), "{authority:?} {more:?}: {outcome:?}");
        }
        Ok(())
    })
}

#[test]
fn h08_a_connection_for_one_host_serves_no_other() -> Result<()> {
    let options = GatewayOptions { host: Some("localhost".to_owned()), ..GatewayOptions::embedded() };
    with_options("h08", &options, |gateway, _| {
        let port = gateway.public_address().rsplit(':').next().unwrap_or_default();
        let ask = |sni: &str, host: &str| -> Result<u16> {
            let mut raw = Raw::open(gateway, "http/1.1", sni)?;
            raw.send(format!("GET /sign-in HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"));
            let answers = raw::answers(&raw.until_closed()?)?;
            Ok(answers.first().context("no answer")?.status)
        };
        assert_eq!(ask("localhost", "localhost")?, 200);
        assert_eq!(ask("localhost", "other.localhost")?, 421);
        assert_eq!(ask("", "localhost")?, 421, "no name in the handshake");
        assert_eq!(ask("localhost", "127.0.0.1")?, 421);
        let mut coalesced = Raw::open(gateway, "h2", "localhost")?;
        coalesced.send(h2::hello(&[]));
        for (stream, host, status) in
            [(1, "localhost", 200), (3, "other.localhost", 421), (5, "localhost", 200)]
        {
            let authority = format!("{host}:{port}");
            coalesced.send(h2::request(stream, END_STREAM, ("GET", &authority, "/sign-in"), &[]));
            let head = await_frame(&coalesced, "an answer", |frame| {
                frame.kind == kind::HEADERS && frame.stream == stream
            })?;
            assert_eq!(h2::status(&head), Some(status), "{host}");
        }
        Ok(())
    })
}

#[test]
fn h09_what_would_be_something_else_in_http_1_is_refused() -> Result<()> {
    with_gateway("h09", |gateway, _| {
        let host = gateway.public_address();
        for field in [
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("te", "gzip"),
            ("a:b", "c"),
            ("x", "a\r\nhost: other.example"),
            ("x\r\ny", "z"),
            ("X-Upper", "z"),
            ("x y", "z"),
            ("content-length", "5, 5"),
            (":path", "/other"),
        ] {
            let head = h2::request(1, END_STREAM, ("GET", host, "/sign-in"), &[field]);
            let outcome = outcome(gateway, &head, &format!("{field:?}"))?;
            assert!(matches!(outcome, None | Some(400)), "{field:?}: {outcome:?}");
        }
        for method in ["CONNECT", "TRACE"] {
            let head = h2::request(1, END_STREAM, (method, host, "/sign-in"), &[]);
            let outcome = outcome(gateway, &head, method)?;
            assert!(matches!(outcome, None | Some(405)), "{method}: {outcome:?}");
        }
        Ok(())
    })
}

#[test]
fn h09_a_length_that_lies_ends_the_stream() -> Result<()> {
    with_gateway("h09-length", |gateway, _| {
        let line = ("POST", gateway.public_address(), "/api/v1/bootstrap");
        for (length, body) in [("1", "four"), ("9", "four")] {
            let mut raw = open(gateway, &[])?;
            let fields = [("content-length", length), ("content-type", "application/json")];
            raw.send(h2::request(1, 0, line, &fields));
            raw.send(h2::frame(kind::DATA, END_STREAM, 1, body.as_bytes()));
            let reset = await_frame(&raw, "a reset", |frame| frame.kind == kind::RST_STREAM)?;
            assert_eq!(reset.error(), Some(1), "{length}");
        }
        Ok(())
    })
}

#[test]
fn h15_floods_of_frames_that_carry_nothing_end_the_connection() -> Result<()> {
    with_gateway("h15", |gateway, _| {
        is_healthy(gateway)?;
        let before = resident_kib(gateway)?;
        let few = open(gateway, &[])?;
        for (name, one) in [
            ("PING", h2::frame(kind::PING, 0, 0, &[7; 8])),
            ("SETTINGS", h2::frame(kind::SETTINGS, 0, 0, &[])),
            ("SETTINGS with values", h2::frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])),
        ] {
            let mut raw = open(gateway, &[])?;
            raw.send(one.repeat(90));
            let answered = |heard: &[u8]| {
                let wanted = if name == "PING" { kind::PING } else { kind::SETTINGS };
                let count = h2::frames(heard).iter().filter(|frame| frame.kind == wanted).count();
                (count >= 90).then_some(())
            };
            raw.until(&format!("90 answers to {name}"), answered)?;
            raw.send(one.repeat(5_000));
            assert_eq!(await_goaway(&raw, name)?, CALM, "{name}");
            raw.until_closed()?;
        }
        assert!(!few.is_closed(), "a peer that does nothing wrong goes on");
        assert!(resident_kib(gateway)? < before + GROWTH_MAX_KIB);
        is_healthy(gateway)
    })
}

#[test]
fn h15_floods_of_streams_heads_and_bodies_end_the_connection() -> Result<()> {
    with_gateway("h15-streams", |gateway, _| {
        is_healthy(gateway)?;
        let before = resident_kib(gateway)?;
        let line = ("POST", gateway.public_address(), "/api/v1/bootstrap");
        let ids = || (0..4_000).map(|number| 2 * number + 1);
        let rapid_reset: Vec<u8> = ids()
            .flat_map(|id| {
                [h2::request(id, 0, line, &[]), h2::frame(kind::RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()
            })
            .collect();
        // A body that is longer than it says is an error of the stream, so that it is the gateway that resets it.
        let made_to_reset: Vec<u8> = ids()
            .flat_map(|id| {
                let head = h2::request(id, 0, line, &[("content-length", "1")]);
                [head, h2::frame(kind::DATA, END_STREAM, id, b"four")].concat()
            })
            .collect();
        let continued = {
            let first = h2::frame(kind::HEADERS, 0, 1, &h2::fields(&[(":method", "GET")]));
            let more = h2::frame(kind::CONTINUATION, 0, 1, &h2::fields(&[("x", &"y".repeat(8_000))]));
            [first, more.repeat(2_000)].concat()
        };
        let empty_data = {
            let empty = h2::frame(kind::DATA, 0, 1, &[]);
            [h2::request(1, 0, line, &[]), empty.repeat(200_000)].concat()
        };
        for (name, flood) in [
            ("rapid reset", rapid_reset),
            ("made to reset", made_to_reset),
            ("endless head", continued),
            ("empty DATA", empty_data),
        ] {
            let mut raw = open(gateway, &[])?;
            raw.send(&flood);
            assert_eq!(await_goaway(&raw, name)?, CALM, "{name}");
        }
        assert!(resident_kib(gateway)? < before + GROWTH_MAX_KIB);
        is_healthy(gateway)
    })
}

#[test]
fn h15_a_small_head_that_unpacks_to_a_large_one_is_refused() -> Result<()> {
    with_gateway("h15-hpack", |gateway, _| {
        is_healthy(gateway)?;
        let before = resident_kib(gateway)?;
        let mut raw = open(gateway, &[])?;
        // One field of 4,000 bytes enters the table (RFC 7541 section 6.2.1); each further byte repeats it.
        let line = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")];
        let mut block = h2::fields(&line);
        let mut entered = h2::fields(&[("x", &"y".repeat(4_000))]);
        if let Some(first) = entered.first_mut() {
            *first = 0x40;
        }
        block.extend(entered);
        block.extend(vec![0xbe; 12_000]);
        raw.send(h2::frame(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block));
        let ends = [kind::HEADERS, kind::RST_STREAM, kind::GOAWAY];
        let frame = await_frame(&raw, "an answer", |frame| ends.contains(&frame.kind))?;
        assert!(frame.kind != kind::HEADERS || h2::status(&frame) == Some(431), "{frame:?}");
        assert!(resident_kib(gateway)? < before + GROWTH_MAX_KIB);
        is_healthy(gateway)
    })
}

#[test]
fn h21_no_request_comes_before_the_handshake_is_done() -> Result<()> {
    with_gateway("h21", |gateway, scratch| {
        let ticket = scratch.join("session.pem").display().to_string();
        let request = format!(
            "GET /sign-in HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            gateway.public_address()
        );
        let mut first = Raw::open_with(gateway, "http/1.1", "", &["-tls1_3", "-sess_out", &ticket])?;
        first.send(&request);
        first.until_closed()?;
        let shown =
            tools::command("openssl")?.args(["sess_id", "-noout", "-text", "-in", &ticket]).output()?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("Max Early Data: 0"), "{shown}");
        Ok(())
    })
}

/// What the gateway holds in memory.
fn resident_kib(gateway: &Gateway) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}
