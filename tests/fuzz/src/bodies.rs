//! What each fuzz target does with its input; the corpus test of tunnel/proto runs the same code.
#![allow(dead_code, clippy::allow_attributes, reason = "each target uses one of them")]

use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Config, EndedBy, Event, LaneId, Link, Outcome, Read, Side, Transmit,
    frame::{self, Hello, PAYLOAD_MAX},
    inventory,
    stream::{self, Intake, Poll, Stream},
};
use std::time::{Duration, Instant};

/// Takes a message apart. Frames never hold more than the message had.
pub(crate) fn frames(data: &[u8]) {
    let message = Bytes::copy_from_slice(data);
    let good = frame::frames(message.clone()).take_while(Result::is_ok).count();
    assert!(good <= data.len() / frame::HEADER_LEN);
    let entries = inventory::entries(message).take_while(Result::is_ok).count();
    assert!(entries <= data.len());
}

/// The first message that a link hears.
pub(crate) fn handshake(data: &[u8], now: Instant) {
    for side in [Side::Dialer, Side::Acceptor] {
        let mut link = Link::new(Config::new(side), now);
        link.handle_message(Bytes::copy_from_slice(data), now);
        run_dry(&mut link, now);
        assert!(link.ended().is_none_or(|end| end.by == EndedBy::Violation));
    }
}

/// A peer that has shaken hands and then says anything. Messages are separated by their length in two bytes.
pub(crate) fn link(data: &[u8], now: Instant) {
    let mut link = Link::new(Config::new(Side::Acceptor), now);
    link.handle_message(hello(), now);
    run_dry(&mut link, now);
    let _ours = link.open(postern_tunnel_proto::Open::default());
    let mut rest = data;
    let mut now = now;
    while let [a, b, more @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*a, *b])).min(more.len());
        let (message, after) = more.split_at(len);
        link.handle_message(Bytes::copy_from_slice(message), now);
        run_dry(&mut link, now);
        now += Duration::from_millis(7);
        rest = after;
    }
    assert!(link.buffered() <= 40 * 1024 * 1024);
    drop(link);
}

/// The bytes of a lane that should carry a stream, to both ends of one.
pub(crate) fn records(data: &[u8], now: Instant) {
    let mut intake = Intake::new();
    let mut chunk = Bytes::copy_from_slice(data);
    if let Ok(Some(attach)) = intake.read(&mut chunk)
        && let Ok(mut connector) = Stream::connector(&attach, [7; 16], stream::Config::default(), now)
    {
        drive_stream(&mut connector, attach.generation, chunk, now);
    }
    let mut client = Stream::client(StreamId::from_bytes([1; 16]), [2; 32], stream::Config::default(), now);
    let mut hello = Bytes::from_static(b"hello");
    let _taken = client.write(&mut hello);
    if let Some(generation) = client.attach(|_| [0; 64]) {
        drive_stream(&mut client, generation, Bytes::copy_from_slice(data), now);
    }
}

/// A part of an inventory: what is read is what is written again, byte for byte.
pub(crate) fn inventory(data: &[u8]) {
    let mut good = vec![];
    let mut is_whole = true;
    for entry in inventory::entries(Bytes::copy_from_slice(data)) {
        assert!(is_whole, "nothing is read after a mistake");
        match entry {
            Ok(entry) => good.push(entry),
            Err(_) => is_whole = false,
        }
    }
    let Ok(parts) = inventory::parts(good) else { panic!("what was read can be written") };
    assert!(parts.iter().all(|part| part.len() <= PAYLOAD_MAX));
    let written = parts.concat();
    assert!(data.starts_with(&written) && (!is_whole || written.len() == data.len()));
}

/// The start of a lane, cut anywhere: the same Attach, the same rest, or the same refusal.
pub(crate) fn intake(data: &[u8]) {
    let mut rest = Bytes::copy_from_slice(data);
    let whole = Intake::new().read(&mut rest);
    for step in [1, 3, 7, 64] {
        let mut intake = Intake::new();
        let mut read = Ok(None);
        let mut used = 0;
        for piece in data.chunks(step) {
            let mut chunk = Bytes::copy_from_slice(piece);
            read = intake.read(&mut chunk);
            used += piece.len() - chunk.len();
            if !matches!(read, Ok(None)) {
                break;
            }
        }
        assert_eq!(read, whole);
        assert!(!matches!(read, Ok(Some(_))) || used == data.len() - rest.len());
    }
}

fn hello() -> Bytes {
    let hello = Hello { version_min: 1, version_max: 1, lanes_max: 100, window: 65_536 };
    let payload = hello.to_bytes();
    let mut message = vec![0x01, 0, 0, 16, 0, 0, 0, 0];
    message.extend(payload);
    message.into()
}

/// Does what an application would: accepts every second lane, reads, consumes, echoes, finishes.
fn run_dry(link: &mut Link, now: Instant) {
    while let Some(event) = link.poll_event() {
        match event {
            Event::Incoming { lane, .. } if lane.0 % 4 == 3 => link.refuse(lane, 4403, b"no"),
            Event::Incoming { lane, .. } => {
                let _gone = link.accept(lane, Bytes::new());
            }
            Event::Readable(lane) => echo(link, lane, now),
            Event::Established { .. }
            | Event::Opened { .. }
            | Event::Refused { .. }
            | Event::Writable(_)
            | Event::Reset { .. }
            | Event::Done(_)
            | Event::GoAway { .. }
            | Event::Inventory { .. }
            | Event::Keys(_)
            | Event::Kill { .. }
            | Event::LimitHit(_)
            | Event::Closed(_) => {}
        }
    }
    let mut out = Transmit::new();
    for _ in 0..1_000 {
        match link.poll_transmit(&mut out, now) {
            Outcome::Message => link.handle_flushed(now),
            Outcome::Idle | Outcome::Close { .. } => break,
        }
    }
    if link.poll_timeout().is_some_and(|at| at <= now) {
        link.handle_timeout(now);
    }
}

fn echo(link: &mut Link, lane: LaneId, now: Instant) {
    loop {
        match link.read(lane, PAYLOAD_MAX) {
            Ok(Read::Chunk(mut chunk)) => {
                link.consume(lane, chunk.len(), now);
                let _full = link.write(lane, &mut chunk);
            }
            Ok(Read::Finished) => {
                let _gone = link.finish(lane);
                return;
            }
            Ok(Read::Blocked) | Err(_) => return,
        }
    }
}

fn drive_stream(stream: &mut Stream, generation: u32, mut bytes: Bytes, now: Instant) {
    let mut now = now;
    while !bytes.is_empty() {
        let chunk = bytes.split_to(bytes.len().min(100));
        stream.handle_bytes(generation, chunk, now);
        while let Some(Read::Chunk(_)) = stream.read(64) {}
        let mut out = vec![];
        while stream.poll_transmit(&mut out, 100_000, now) == Poll::Records {}
        now += Duration::from_millis(7);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
    }
    let mut ends = 0;
    while let Some(event) = stream.poll_event() {
        ends += usize::from(matches!(event, stream::Event::Over(_)));
    }
    assert!(ends <= 1, "a stream ends once");
}
