//! Peers that break WebSocket itself (security catalogue T1): each is told why with the right close code, and none
//! makes this side allocate what it merely announces.

use super::{End, within};
use crate::{Blame, LinkConfig};
use postern_tunnel_proto::{
    LaneId, Side,
    frame::{Header, Hello, Kind},
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Sends raw bytes to an acceptor and gives the code that the link ended with, and the code it told.
async fn send(bytes: &[u8]) -> (u16, Option<u16>) {
    let (near, mut far) = duplex(256 * 1024);
    let acceptor = End::new(near, Side::Acceptor, LinkConfig::default());
    far.write_all(bytes).await.unwrap();
    let ended = within(acceptor.link.closed()).await;
    assert_eq!(ended.by, Blame::Peer);
    let mut told = Vec::new();
    within(far.read_to_end(&mut told)).await.unwrap();
    (ended.code, close_code(&told))
}

/// The code in the close frame of what a server sent.
fn close_code(mut sent: &[u8]) -> Option<u16> {
    loop {
        let (&first, &length) = (sent.first()?, sent.get(1)?);
        let (length, skip) = match length {
            126 => (usize::from(u16::from_be_bytes(sent.get(2..4)?.try_into().ok()?)), 4),
            length => (usize::from(length), 2),
        };
        let payload = sent.get(skip..skip + length)?;
        if first & 15 == 8 {
            return Some(u16::from_be_bytes(payload.get(..2)?.try_into().ok()?));
        }
        sent = sent.get(skip + length..)?;
    }
}

/// A masked frame; the mask is zero, so the payload reads as it is.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

async fn assert_told(bytes: &[u8], code: u16) {
    assert_eq!(send(bytes).await, (code, Some(code)), "{:02x?}", bytes.get(..bytes.len().min(16)));
}

#[tokio::test]
async fn t01_an_unmasked_frame_is_a_protocol_error() {
    assert_told(&[0x82, 1, 0], 1002).await;
}

#[tokio::test]
async fn t01_reserved_bits_are_a_protocol_error() {
    for first in [0xc2, 0xa2, 0x92] {
        assert_told(&masked(first, b"x"), 1002).await;
    }
}

#[tokio::test]
async fn t01_reserved_opcodes_are_a_protocol_error() {
    for opcode in [3, 7, 11, 15] {
        assert_told(&masked(0x80 | opcode, b"x"), 1002).await;
    }
}

#[tokio::test]
async fn t01_a_continuation_first_and_a_message_inside_a_message_are_protocol_errors() {
    assert_told(&masked(0x80, b"x"), 1002).await;
    let mut inside = masked(0x02, b"x");
    inside.extend(masked(0x82, b"y"));
    assert_told(&inside, 1002).await;
}

#[tokio::test]
async fn t01_control_frames_are_small_and_whole() {
    assert_told(&masked(0x09, b"x"), 1002).await;
    let mut long = vec![0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0];
    long.extend([0; 126]);
    assert_told(&long, 1002).await;
}

#[tokio::test]
async fn t02_text_is_refused_and_text_that_is_not_utf8_is_called_so() {
    assert_told(&masked(0x81, b"hello"), 1002).await;
    assert_told(&masked(0x81, &[0xff, 0xfe]), 1007).await;
}

#[tokio::test]
async fn t01_a_length_that_is_only_announced_is_refused_at_once() {
    for length in [1u64 << 63, u64::MAX, 1 << 62, 129 * 1024] {
        let mut frame = vec![0x82, 0x80 | 127];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        // Refused by its header: the payload never comes.
        assert_told(&frame, 1009).await;
    }
}

#[tokio::test]
async fn t01_fragments_are_joined_up_to_the_limit_of_a_message() {
    let piece = vec![0u8; 60 * 1024];
    let mut frames = Vec::new();
    for first in [0x02, 0x00, 0x00] {
        frames.extend([first, 0x80 | 126]);
        frames.extend(u16::try_from(piece.len()).unwrap().to_be_bytes());
        frames.extend([0; 4]);
        frames.extend(&piece);
    }
    assert_told(&frames, 1009).await;
}

#[tokio::test]
async fn t01_a_masked_frame_from_a_server_is_a_protocol_error() {
    let (near, mut far) = duplex(64 * 1024);
    let dialer = End::new(near, Side::Dialer, LinkConfig::default());
    far.write_all(&masked(0x82, b"x")).await.unwrap();
    assert_eq!(within(dialer.link.closed()).await.code, 1002);
}

#[tokio::test]
async fn t01_a_websocket_ping_is_answered_in_the_middle_of_nothing() {
    let (near, mut far) = duplex(64 * 1024);
    let acceptor = End::new(near, Side::Acceptor, LinkConfig::default());
    far.write_all(&masked(0x89, b"are you there")).await.unwrap();
    let mut seen = Vec::new();
    within(async {
        while !seen.windows(13).any(|part| part == b"are you there") {
            assert_ne!(far.read_buf(&mut seen).await.unwrap(), 0);
        }
    })
    .await;
    assert!(!acceptor.link.is_closed());
}

/// A message of any length, masked with zero.
fn message(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82, 0x80 | 127];
    frame.extend((payload.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let header = Header { kind, flags: 0, len: u32::try_from(payload.len()).unwrap(), lane: LaneId::LINK };
    [&header.to_bytes()[..], payload].concat()
}

#[tokio::test]
async fn t15_lists_and_keys_wait_on_the_wire_while_nobody_fetches_them() {
    let hello = Hello { version_min: 1, version_max: 1, lanes_max: 1, window: 65_536 };
    for kind in [Kind::Keys, Kind::Inventory] {
        let (near, mut far) = duplex(64 * 1024);
        let mut acceptor = End::new(near, Side::Acceptor, LinkConfig::default());
        far.write_all(&message(&frame(Kind::Hello, &hello.to_bytes()))).await.unwrap();
        // Streams that are over, with code 1.
        let entry = [&[7; 32][..], &[0, 0, 0, 1, 2, 0, 1, 0, 0]].concat();
        let flood = message(&frame(kind, &entry.repeat(1_590)));
        let (mut taken, mut at) = (0, 0);
        let mut pour = async |limit| {
            let written = tokio::time::timeout(limit, far.write(&flood[at..])).await.ok()?.unwrap();
            (taken, at) = (taken + written, (at + written) % flood.len());
            Some(taken)
        };
        let mut stalled_at = 0;
        while let Some(taken) = pour(Duration::from_millis(500)).await {
            stalled_at = taken;
            assert!(taken < 4 << 20, "{kind:?}: {taken} bytes were taken, and nobody looked at one");
        }
        assert!(stalled_at <= (1 << 20) + 4 * 64 * 1024, "{kind:?}: {stalled_at} bytes");
        // Whoever fetches them lets the peer go on.
        for _ in 0..20 {
            within(acceptor.incoming.next()).await.unwrap();
            within(pour(super::SOON)).await.unwrap();
        }
    }
}
