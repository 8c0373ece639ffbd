//! How slow, how long and how large a request may be (H16–H18).

use super::{refused, with_gateway, with_options};
use anyhow::{Context, Result};
use postern_tests::{Gateway, GatewayOptions, Raw, raw, sized};
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn h16_a_head_that_does_not_come_is_answered_408_and_a_handshake_that_does_not_come_is_closed() -> Result<()>
{
    with_gateway("h16", |gateway, _| {
        let began = Instant::now();
        let mut handshake = TcpStream::connect(gateway.public_address())?;
        let mut slow = Raw::open(gateway, "http/1.1", "")?;
        slow.send(format!("GET /sign-in HTTP/1.1\r\nHost: {}\r\nX-Slow: ", gateway.public_address()));
        let answers = raw::answers(&slow.until_closed()?)?;
        assert!(matches!(answers.as_slice(), [one] if one.status == 408), "{answers:?}");
        handshake.set_read_timeout(Some(Duration::from_secs(20)))?;
        assert_eq!(handshake.read(&mut [0; 16])?, 0);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        Ok(())
    })
}

#[test]
fn h16_peers_that_stall_do_not_slow_down_the_others() -> Result<()> {
    let stalled = sized(800, 5_000);
    let options = ["connections_per_ip", "connection_rate_per_ip", "connection_burst_per_ip"]
        .iter()
        .fold(GatewayOptions::embedded(), |options, limit| options.set(&format!("limits.{limit}"), "20000"));
    with_options("h16-stalled", &options, |gateway, _| {
        let alone = slowest_of_most(gateway)?;
        let held = (0..stalled)
            .map(|_| TcpStream::connect(gateway.public_address()))
            .collect::<std::io::Result<Vec<_>>>()
            .context("hold the stalled connections")?;
        let beside = slowest_of_most(gateway)?;
        drop(held);
        // What a scheduler on a busy machine does to single requests is not the gateway's doing.
        let noise = Duration::from_millis(5);
        assert!(beside <= 2 * alone + noise, "{alone:?} alone, {beside:?} beside {stalled} stalled peers");
        Ok(())
    })
}

/// Of 200 requests on one connection, the time within which 95 in 100 were answered.
fn slowest_of_most(gateway: &Gateway) -> Result<Duration> {
    let request = format!("GET /sign-in HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.public_address());
    let mut raw = Raw::open(gateway, "http/1.1", "")?;
    let mut times = Vec::new();
    for count in 1..=200 {
        let began = Instant::now();
        raw.send(&request);
        raw.until("an answer", |heard| {
            raw::answers(heard).is_ok_and(|all| all.len() == count).then_some(())
        })?;
        times.push(began.elapsed());
    }
    times.sort();
    times.get(190).copied().context("200 times")
}

#[test]
fn h17_heads_and_targets_above_their_limits_are_refused() -> Result<()> {
    with_gateway("h17", |gateway, _| {
        let with = |target: &str, fields: &str| {
            format!(
                "GET {target} HTTP/1.1\r\nHost: {}\r\n{fields}Connection: close\r\n\r\n",
                gateway.public_address()
            )
        };
        let long = format!("X-Long: {}\r\n", "y".repeat(64 * 1024));
        refused(gateway, with("/sign-in", &long), 431, "head_too_large")?;
        refused(gateway, with("/sign-in", &"X-Many: 1\r\n".repeat(101)), 431, "head_too_large")?;
        refused(gateway, with(&format!("/{}", "a".repeat(64 * 1024)), ""), 414, "target_too_long")?;
        refused(gateway, with(&format!("/{}", "a".repeat(9 * 1024)), ""), 414, "target_too_long")?;
        let just = raw::exchange(gateway, with(&format!("/{}", "a".repeat(8 * 1024 - 2)), ""))?;
        assert!(matches!(just.as_slice(), [one] if one.status == 404), "{just:?}");
        Ok(())
    })
}

#[test]
fn h17_the_api_takes_no_more_than_it_needs_however_the_body_is_framed() -> Result<()> {
    with_gateway("h17-body", |gateway, _| {
        let host = gateway.public_address();
        let head =
            format!("POST /api/v1/bootstrap HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
        let large = format!("{head}Content-Length: 10737418240\r\n\r\n");
        assert_eq!(first_status(gateway, &[large.as_bytes()])?, 413);
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        let endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        let mut pieces = vec![endless.as_bytes()];
        pieces.extend(std::iter::repeat_n(chunk.as_bytes(), 40));
        assert_eq!(first_status(gateway, &pieces)?, 413);
        Ok(())
    })
}

#[test]
fn h18_the_api_unpacks_nothing() -> Result<()> {
    with_gateway("h18", |gateway, _| {
        let host = gateway.public_address();
        for coding in ["gzip", "br", "zstd", "deflate"] {
            let request = format!(
                "POST /api/v1/bootstrap HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Encoding: {coding}\r\nContent-Length: 4\r\n\r\n\x1f\x0b\x08\x00"
            );
            assert_eq!(first_status(gateway, &[request.as_bytes()])?, 415, "{coding}");
        }
        Ok(())
    })
}

/// The status of the first answer; the connection may go on or end as it likes.
fn first_status(gateway: &Gateway, pieces: &[&[u8]]) -> Result<u16> {
    let mut raw = Raw::open(gateway, "http/1.1", "")?;
    for piece in pieces {
        raw.send(piece);
    }
    raw.until("an answer", |heard| Some(raw::answers(heard).ok()?.first()?.status))
}
