//! What a stream holds, and when it says what it took.

use crate::scene::{KEY, attempt, client, now, pair, read, send, write};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Budget,
    stream::{Config, LaneEnd, Poll, Stream},
};
use std::time::Duration;

#[test]
fn acknowledgements_come_after_64_kib_or_20_ms() {
    let (mut client, mut connector) = pair();
    write(&mut client, "few");
    connector.handle_bytes(1, send(&mut client, now()), now());
    assert!(send(&mut connector, now() + Duration::from_millis(19)).is_empty());
    let due = now() + Duration::from_millis(20);
    assert_eq!(connector.poll_timeout(), Some(due));
    client.handle_bytes(1, send(&mut connector, due), due);
    assert_eq!(client.replay_held(), 0);
    client.write(&mut vec![0; 70_000].into()).unwrap();
    connector.handle_bytes(1, send(&mut client, due), due);
    client.handle_bytes(1, send(&mut connector, due), due);
    assert_eq!(client.replay_held(), 0);
}

#[test]
fn replay_buffers_shrink_when_the_process_holds_much() {
    let budget = Budget::new(1024 * 1024);
    let config = Config { budget: budget.clone(), ..Config::default() };
    let make = |tag| Stream::client(StreamId::from_bytes([tag; 16]), KEY, config.clone(), now());
    let (mut greedy, late) = (make(1), make(2));
    let mut source = Bytes::from(vec![0; 8 * 1024 * 1024]);
    while greedy.write(&mut source.split_to(16 * 1024)).unwrap() == 16 * 1024 {}
    assert!(budget.used() <= 1_400_000, "{} bytes", budget.used());
    assert!(late.writable() <= 1024 * 1024, "{} bytes", late.writable());
    drop(greedy);
    assert_eq!((budget.used(), late.writable()), (0, 4 * 1024 * 1024 - 64));
}

#[test]
fn small_writes_do_not_pin_the_buffer_that_they_came_in() {
    let mut client = client();
    let buffer = Bytes::from(vec![7; 64 * 1024]);
    let mut small = buffer.slice(..100);
    client.write(&mut small).unwrap();
    drop(small);
    assert!(buffer.is_unique());
}

#[test]
fn an_idle_stream_is_small() {
    assert!(size_of::<Stream>() < 1024, "{}", size_of::<Stream>());
}

#[test]
fn what_was_typed_while_detached_goes_out_in_few_pieces() {
    let (mut client, mut connector) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let typed: Vec<u8> = (0..60_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    for mut piece in typed.chunks(40).map(Bytes::copy_from_slice) {
        client.write(&mut piece).unwrap();
    }
    let (attach, rest) = attempt(&mut client);
    connector.take_over(&attach, now()).unwrap();
    connector.handle_bytes(2, rest, now());
    let down = send(&mut connector, now());
    client.handle_bytes(2, down, now());
    let mut out = vec![];
    while client.poll_transmit(&mut out, 200_000, now()) == Poll::Records {}
    assert!(out.len() < 10, "{} pieces", out.len());
    connector.handle_bytes(2, out.concat().into(), now());
    assert_eq!(read(&mut connector), typed);
}
