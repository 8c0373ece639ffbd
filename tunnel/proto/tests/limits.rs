//! How far each direction of a resumable stream may run ahead of its reader.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Budget, Read,
    stream::{Config, Intake, LaneEnd, Poll, Stream},
};
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
fn now() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn send(stream: &mut Stream) -> Bytes {
    let mut out = vec![];
    while stream.poll_transmit(&mut out, 200_000, now()) == Poll::Records {}
    out.concat().into()
}

fn pair(config: Config) -> (Stream, Stream) {
    let mut client = Stream::client(StreamId::from_bytes([1; 16]), [3; 32], config.clone(), now());
    let attach = attempt(&mut client);
    let mut connector = Stream::connector(&attach, [9; 16], config, now()).unwrap();
    exchange(&mut client, &mut connector);
    (client, connector)
}

fn attempt(client: &mut Stream) -> postern_tunnel_proto::stream::Attach {
    client.attach(|_| [0; 64]).unwrap();
    Intake::new().read(&mut send(client)).unwrap().unwrap()
}

fn exchange(client: &mut Stream, connector: &mut Stream) {
    for _ in 0..10 {
        let (down, up) = (send(connector), send(client));
        client.handle_bytes(client.generation(), down, now());
        connector.handle_bytes(connector.generation(), up, now());
    }
}

/// Writes as much as the stream takes, up to `most`.
fn fill(stream: &mut Stream, most: usize) -> usize {
    let mut written = 0;
    while written < most {
        let mut chunk = Bytes::from(vec![7; (64 * KIB).min(most - written)]);
        match stream.write(&mut chunk).unwrap() {
            0 => break,
            taken => written += taken,
        }
    }
    written
}

fn drain(stream: &mut Stream) -> usize {
    let mut read = 0;
    while let Some(Read::Chunk(chunk)) = stream.read(usize::MAX) {
        read += chunk.len();
    }
    read
}

#[test]
fn a_direction_that_nobody_reads_does_not_stop_the_other() {
    let (mut client, mut connector) = pair(Config::default());
    let mut up = 0;
    for _ in 0..4 {
        up += fill(&mut client, 16 * MIB);
        exchange(&mut client, &mut connector);
    }
    assert_eq!(client.writable(), 0, "nobody reads at the connector");
    let mut down = 0;
    while down < 64 * MIB {
        assert!(fill(&mut connector, MIB) > 0);
        exchange(&mut client, &mut connector);
        down += drain(&mut client);
    }
    let mut read = drain(&mut connector);
    while read < up {
        exchange(&mut client, &mut connector);
        read += drain(&mut connector);
    }
    assert_eq!(read, up);
}

#[test]
fn a_reader_that_stops_holds_no_more_than_its_limit() {
    let (mut client, mut connector) = pair(Config { unread_max: MIB, ..Config::default() });
    for _ in 0..8 {
        fill(&mut client, 16 * MIB);
        exchange(&mut client, &mut connector);
    }
    assert!((MIB..=MIB + 64 * KIB).contains(&connector.unread()), "{} bytes", connector.unread());
}

#[test]
fn a_limit_that_was_lost_with_its_lane_is_told_again() {
    let (mut client, mut connector) = pair(Config::default());
    fill(&mut client, 16 * MIB);
    exchange(&mut client, &mut connector);
    let unread = connector.unread();
    assert_eq!(drain(&mut connector), unread);
    // The Ack that makes room is lost.
    let _lost = send(&mut connector);
    client.handle_lane_end(1, LaneEnd::Detached, now());
    connector.handle_lane_end(1, LaneEnd::Detached, now());
    fill(&mut client, 16 * MIB);
    let attach = attempt(&mut client);
    connector.take_over(&attach, now()).unwrap();
    exchange(&mut client, &mut connector);
    assert!(connector.unread() > 2 * MIB, "{} bytes", connector.unread());
}

#[test]
fn t06_more_bytes_than_the_limit_end_the_stream_loudly() {
    let (_, mut connector) = pair(Config { unread_max: 64 * KIB, ..Config::default() });
    let mut offset = 0u64;
    while connector.over().is_none() && offset < u64::try_from(MIB).unwrap() {
        let mut record = vec![0x04, 0, 0x40, 8];
        record.extend(offset.to_be_bytes());
        record.extend(vec![0; 16 * KIB]);
        connector.handle_bytes(1, record.into(), now());
        offset += u64::try_from(16 * KIB).unwrap();
    }
    let over = connector.over().unwrap();
    assert_eq!((over.code, over.reason), (4410, "more bytes than were allowed"));
    assert_eq!(offset, u64::try_from(80 * KIB).unwrap());
}

#[test]
fn t04_bytes_that_come_one_by_one_and_are_not_read_cost_no_more_than_others() {
    let budget = Budget::new(MIB);
    let (_, mut connector) = pair(Config { budget: budget.clone(), ..Config::default() });
    for offset in 0..60_000u64 {
        let mut record = vec![0x04, 0, 0, 9];
        record.extend(offset.to_be_bytes());
        record.push(u8::try_from(offset % 251).unwrap());
        connector.handle_bytes(1, record.into(), now());
    }
    assert_eq!((connector.unread(), budget.used()), (60_000, 60_000));
    let mut chunks = vec![];
    while let Some(Read::Chunk(chunk)) = connector.read(usize::MAX) {
        chunks.push(chunk);
    }
    assert!(chunks.len() <= 2, "{} pieces", chunks.len());
    let right: Vec<u8> = (0..60_000u64).map(|offset| u8::try_from(offset % 251).unwrap()).collect();
    assert_eq!((chunks.concat(), budget.used()), (right, 0));
}

#[test]
fn under_pressure_readers_promise_less_and_the_one_that_goes_on_filling_is_ended() {
    let budget = Budget::new(MIB);
    let config = Config { budget: budget.clone(), ..Config::default() };
    let mut pairs: Vec<_> = (0..4).map(|_| pair(config.clone())).collect();
    for _ in 0..32 {
        for (client, connector) in &mut pairs {
            if client.over().is_none() {
                fill(client, 64 * KIB);
                exchange(client, connector);
            }
        }
    }
    assert!(budget.used() <= 2 * MIB, "{} bytes", budget.used());
    let ended = pairs.iter().filter_map(|(client, _)| client.over()).all(|over| over.code == 4429);
    assert!(ended);
}

#[test]
fn a_window_update_is_not_told_for_every_byte() {
    let (mut client, mut connector) = pair(Config::default());
    let mut acks = 0;
    for _ in 0..16 {
        fill(&mut client, 64 * KIB);
        connector.handle_bytes(1, send(&mut client), now() + Duration::from_millis(1));
        drain(&mut connector);
        let down = send(&mut connector);
        acks += down.len() / 20;
        client.handle_bytes(1, down, now());
    }
    assert!(acks <= 16, "{acks} acks for 1 MiB");
}
