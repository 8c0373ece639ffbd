//! Where a request begins and ends, and whom it is for (H1–H7).

use super::{refused, says, with_gateway};
use anyhow::Result;
use postern_tests::{Gateway, Raw, raw};

/// A good request behind which the gateway closes.
fn last(gateway: &Gateway, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.public_address())
}

/// The head of a request with these fields.
fn head(gateway: &Gateway, line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: {}\r\n{fields}\r\n", gateway.public_address())
}

#[test]
fn h01_a_body_whose_length_has_two_readings_is_refused_and_nothing_behind_it_is_read() -> Result<()> {
    with_gateway("h01", |gateway, _| {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding : chunked\r\n",
        ] {
            let request = head(gateway, "POST /api/v1/bootstrap HTTP/1.1", fields);
            let label = if fields.contains(" :") { "head_malformed" } else { "framing" };
            refused(gateway, format!("{request}0\r\n\r\n{}", last(gateway, "/sign-in")), 400, label)?;
        }
        Ok(())
    })
}

#[test]
fn h01_a_chunk_that_turns_bad_is_refused_and_nothing_behind_it_is_read() -> Result<()> {
    with_gateway("h01-chunks", |gateway, _| {
        let fields = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let request = head(gateway, "POST /api/v1/bootstrap HTTP/1.1", fields);
        for body in
            ["2\r\n{}X\r\n0\r\n\r\n", "2\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "2 \r\n{}\r\n0\r\n\r\n"]
        {
            refused(gateway, format!("{request}{body}{}", last(gateway, "/sign-in")), 400, "framing")?;
        }
        Ok(())
    })
}

#[test]
fn h02_line_ends_folds_and_control_characters_are_refused_in_order() -> Result<()> {
    with_gateway("h02", |gateway, _| {
        let host = gateway.public_address();
        for request in [
            format!("GET /sign-in HTTP/1.1\nHost: {host}\r\n\r\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: {host}\n\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nX: a\rb\r\n\r\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n"),
            format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nX: a\0b\r\n\r\n"),
            format!("\r\nGET /sign-in HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ] {
            refused(gateway, &request, 400, "head_malformed")?;
            // Behind a good one, the answers come in the order of the requests.
            let good = head(gateway, "GET /sign-in HTTP/1.1", "");
            let answers = raw::exchange(gateway, format!("{good}{request}{good}"))?;
            let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
            assert_eq!(statuses, [200, 400], "{request:?}");
        }
        Ok(())
    })
}

#[test]
fn h03_the_rest_of_a_body_that_nobody_wanted_is_no_request() -> Result<()> {
    with_gateway("h03", |gateway, _| {
        let smuggled = last(gateway, "/sign-in");
        let body = smuggled.repeat(200_000 / smuggled.len());
        let request = head(gateway, "POST /nowhere HTTP/1.1", &format!("Content-Length: {}\r\n", body.len()));
        let answers = raw::exchange(gateway, format!("{request}{body}"))?;
        assert!(matches!(answers.as_slice(), [one] if one.status >= 400), "{answers:?}");
        // A small one is passed over, and the next request is the next request.
        let request = head(gateway, "POST /nowhere HTTP/1.1", "Content-Length: 5\r\n");
        let answers = raw::exchange(gateway, format!("{request}hello{smuggled}"))?;
        assert!(
            matches!(answers.as_slice(), [one, two] if one.status >= 400 && two.status == 200),
            "{answers:?}"
        );
        Ok(())
    })
}

#[test]
fn h04_what_comes_behind_an_upgrade_that_is_not_taken_is_no_request() -> Result<()> {
    with_gateway("h04", |gateway, _| {
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for path in ["/sign-in", "/tunnel/client", "/nowhere"] {
            let request = head(gateway, &format!("GET {path} HTTP/1.1"), upgrade);
            let answers = raw::exchange(gateway, format!("{request}{}", last(gateway, "/sign-in")))?;
            let [answer] = answers.as_slice() else { anyhow::bail!("{path}: {answers:?}") };
            assert_ne!(answer.status, 101, "{path}");
            assert_eq!(answer.header("connection"), Some("close"), "{path}");
            // What comes after the answer is as little read.
            let mut late = Raw::open(gateway, "http/1.1", "")?;
            late.send(&request);
            late.until("the answer", |heard| heard.windows(4).any(|end| end == b"\r\n\r\n").then_some(()))?;
            late.send(last(gateway, "/sign-in"));
            assert_eq!(raw::answers(&late.until_closed()?)?.len(), 1, "{path}");
        }
        let with_body = head(gateway, "POST /sign-in HTTP/1.1", &format!("{upgrade}Content-Length: 1\r\n"));
        refused(gateway, format!("{with_body}x"), 400, "framing")
    })
}

#[test]
fn h05_http_10_neither_stays_open_nor_has_bodies_without_a_length() -> Result<()> {
    with_gateway("h05", |gateway, _| {
        for fields in
            ["Transfer-Encoding: chunked\r\n", "", "Content-Length: 5\r\nConnection: keep-alive\r\n"]
        {
            refused(gateway, head(gateway, "POST /sign-in HTTP/1.0", fields), 400, "framing")?;
        }
        for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0"] {
            refused(gateway, head(gateway, &format!("GET /sign-in {version}"), ""), 505, "version")?;
        }
        let old = head(gateway, "GET /sign-in HTTP/1.0", "");
        let answers = raw::exchange(gateway, format!("{old}{old}"))?;
        assert!(matches!(answers.as_slice(), [one] if one.status == 200), "{answers:?}");
        Ok(())
    })
}

#[test]
fn h06_targets_and_methods_of_proxies_are_refused() -> Result<()> {
    with_gateway("h06", |gateway, _| {
        let host = gateway.public_address();
        for method in ["CONNECT", "TRACE", "TRACK"] {
            let target = if method == "CONNECT" { host } else { "/sign-in" };
            let request = head(gateway, &format!("{method} {target} HTTP/1.1"), "");
            refused(gateway, format!("{request}{}", last(gateway, "/sign-in")), 405, "method_not_allowed")?;
        }
        let close = "Connection: close\r\n";
        for (line, label) in [
            ("GET https://other.example/sign-in HTTP/1.1".to_owned(), "authority_mismatch"),
            (format!("GET http://{host}@other.example/ HTTP/1.1"), "host_invalid"),
            ("GET other.example:443 HTTP/1.1".to_owned(), "target_malformed"),
            ("OPTIONS * HTTP/1.1".to_owned(), "target_malformed"),
            ("GET ftp://other.example/ HTTP/1.1".to_owned(), "target_malformed"),
            ("GET /sign-in#part HTTP/1.1".to_owned(), "target_malformed"),
        ] {
            refused(gateway, head(gateway, &line, close), 400, label)?;
        }
        let same =
            raw::exchange(gateway, head(gateway, &format!("GET https://{host}/sign-in HTTP/1.1"), close))?;
        assert!(matches!(same.as_slice(), [one] if one.status == 200), "{same:?}");
        let other = raw::exchange(gateway, head(gateway, "PROPFIND /sign-in HTTP/1.1", close))?;
        assert!(matches!(other.as_slice(), [one] if !says(one, "method_not_allowed")), "{other:?}");
        Ok(())
    })
}

#[test]
fn h07_a_host_that_is_none_or_not_one_is_refused() -> Result<()> {
    with_gateway("h07", |gateway, _| {
        let host = gateway.public_address();
        for fields in [
            String::new(),
            format!("Host: {host}\r\nHost: {host}\r\n"),
            format!("Host: {host}\r\nhost: other.example\r\n"),
            format!("Host: a@{host}\r\n"),
            "Host: a:80:80\r\n".to_owned(),
            "Host: a.\r\n".to_owned(),
            "Host: a..b\r\n".to_owned(),
            "Host: a b\r\n".to_owned(),
            "Host: a/b\r\n".to_owned(),
            "Host: xn--a\r\n".to_owned(),
            "Host: [fe80::1%25eth0]\r\n".to_owned(),
            "Host: 0x7f000001\r\n".to_owned(),
            "Host: 127.1\r\n".to_owned(),
            "Host:\r\n".to_owned(),
        ] {
            let request = format!("GET /sign-in HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
            refused(gateway, &request, 400, "host_invalid")?;
        }
        Ok(())
    })
}
