//! What a resumable stream does at its edges; the simulation does the rest.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{
    Budget, Read,
    stream::{Attach, Config, Event, Intake, LaneEnd, Over, PROOF_FAILED, Poll, SUPERSEDED, Stream},
};
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

const KEY: [u8; 32] = [3; 32];
const INSTANCE: [u8; 16] = [9; 16];

#[expect(clippy::disallowed_methods, reason = "a virtual clock has to start somewhere")]
fn now() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn client() -> Stream {
    Stream::client(StreamId::from_bytes([1; 16]), KEY, Config::default(), now())
}

/// Everything that an end has for its lane.
fn send(stream: &mut Stream, at: Instant) -> Bytes {
    let mut out = vec![];
    while stream.poll_transmit(&mut out, 200_000, at) == Poll::Records {}
    out.concat().into()
}

fn read(stream: &mut Stream) -> Vec<u8> {
    let mut all = vec![];
    while let Some(Read::Chunk(chunk)) = stream.read(usize::MAX) {
        all.extend_from_slice(&chunk);
    }
    all
}

fn events(stream: &mut Stream) -> Vec<Event> {
    std::iter::from_fn(|| stream.poll_event()).collect()
}

/// The client's next attempt: its Attach and what came with it.
fn attempt(client: &mut Stream) -> (Attach, Bytes) {
    client.attach(|_| [0; 64]).unwrap();
    let mut bytes = send(client, now());
    let attach = Intake::new().read(&mut bytes).unwrap().unwrap();
    (attach, bytes)
}

/// Both ends of a stream that a lane carries.
fn pair() -> (Stream, Stream) {
    let mut client = client();
    let (attach, rest) = attempt(&mut client);
    let mut connector = Stream::connector(&attach, INSTANCE, Config::default(), now()).unwrap();
    connector.handle_bytes(1, rest, now());
    exchange(&mut client, &mut connector, now());
    assert!(events(&mut client).contains(&Event::Attached { generation: 1 }));
    events(&mut connector);
    (client, connector)
}

fn exchange(client: &mut Stream, connector: &mut Stream, at: Instant) {
    for _ in 0..10 {
        let (down, up) = (send(connector, at), send(client, at));
        client.handle_bytes(client.generation(), down, at);
        connector.handle_bytes(connector.generation(), up, at);
    }
}

fn over(stream: &Stream) -> Option<u16> {
    stream.over().map(|over| over.code)
}

fn write(stream: &mut Stream, text: &'static str) {
    assert_eq!(stream.write(&mut Bytes::from_static(text.as_bytes())).unwrap(), text.len());
}

#[test]
fn early_data_is_the_start_of_the_stream() {
    let mut client = client();
    write(&mut client, "SSH-2.0-client");
    let (attach, early) = attempt(&mut client);
    let mut connector = Stream::connector(&attach, INSTANCE, Config::default(), now()).unwrap();
    connector.handle_bytes(1, early, now());
    assert_eq!(read(&mut connector), b"SSH-2.0-client");
}

#[test]
fn the_proof_signs_every_field() {
    let (attach, _) = attempt(&mut client());
    let message = attach.proof_message();
    assert!(message.starts_with(b"postern stream attach v1"));
    let others = [
        Attach { version_min: 0, ..attach.clone() },
        Attach { version_max: 7, ..attach.clone() },
        Attach { resume_only: true, ..attach.clone() },
        Attach { stream: StreamId::from_bytes([2; 16]), ..attach.clone() },
        Attach { key: [4; 32], ..attach.clone() },
        Attach { generation: 2, ..attach.clone() },
        Attach { received: 1, ..attach.clone() },
        Attach { instance: [1; 16], ..attach },
    ];
    assert!(others.iter().all(|other| other.proof_message() != message));
}

#[test]
fn an_open_whose_answer_was_lost_attaches_instead_of_dialing_twice() {
    let mut client = client();
    write(&mut client, "once");
    let (first, early) = attempt(&mut client);
    let mut connector = Stream::connector(&first, INSTANCE, Config::default(), now()).unwrap();
    connector.handle_bytes(1, early, now());
    client.handle_lane_end(1, LaneEnd::Detached, now());
    write(&mut client, " and for all");
    let (second, early) = attempt(&mut client);
    assert!(!second.resume_only && second.generation == 2);
    connector.take_over(&second, now()).unwrap();
    connector.handle_bytes(2, early, now());
    exchange(&mut client, &mut connector, now());
    assert_eq!(read(&mut connector), b"once and for all");
}

#[test]
fn both_ends_go_on_at_the_exact_byte() {
    let (mut client, mut connector) = pair();
    write(&mut client, "lost on the way ");
    write(&mut connector, "so is this ");
    let _lost = (send(&mut client, now()), send(&mut connector, now()));
    client.handle_lane_end(1, LaneEnd::Detached, now());
    connector.handle_lane_end(1, LaneEnd::Detached, now());
    write(&mut client, "and written meanwhile");
    write(&mut connector, "and this");
    let (attach, rest) = attempt(&mut client);
    assert!(attach.resume_only && rest.is_empty(), "nothing is sent before the connector said what it has");
    connector.take_over(&attach, now()).unwrap();
    exchange(&mut client, &mut connector, now());
    assert_eq!(read(&mut connector), b"lost on the way and written meanwhile");
    assert_eq!(read(&mut client), b"so is this and this");
}

#[test]
fn half_close_survives_and_both_ends_finish_once() {
    let (mut client, mut connector) = pair();
    write(&mut client, "question");
    client.finish();
    exchange(&mut client, &mut connector, now());
    assert_eq!(read(&mut connector), b"question");
    assert_eq!(connector.read(1), Some(Read::Finished));
    write(&mut connector, "answer");
    connector.finish();
    exchange(&mut client, &mut connector, now());
    assert_eq!((over(&client), over(&connector)), (Some(1000), Some(1000)));
    assert_eq!(read(&mut client), b"answer");
    assert_eq!(client.read(1), Some(Read::Finished));
    let ends = |stream: &mut Stream| events(stream).iter().filter(|e| matches!(e, Event::Over(_))).count();
    assert_eq!((ends(&mut client), ends(&mut connector)), (1, 1));
}

#[test]
fn a_client_that_missed_the_last_acknowledgement_learns_that_everything_arrived() {
    let (mut client, mut connector) = pair();
    write(&mut client, "question");
    client.finish();
    connector.finish();
    let (up, down) = (send(&mut client, now()), send(&mut connector, now()));
    connector.handle_bytes(1, up, now());
    client.handle_bytes(1, down, now());
    connector.handle_bytes(1, send(&mut client, now()), now());
    let _lost = send(&mut connector, now());
    assert_eq!((over(&client), over(&connector)), (None, Some(1000)));
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let (attach, _) = attempt(&mut client);
    connector.take_over(&attach, now()).unwrap();
    client.handle_bytes(2, send(&mut connector, now()), now());
    send(&mut client, now());
    assert_eq!(over(&client), Some(1000));
    connector.handle_timeout(now() + Duration::from_secs(120));
    assert_eq!(events(&mut connector).last(), Some(&Event::Forget));
}

#[test]
fn t06_a_stream_that_is_not_known_is_not_made_by_a_resume() {
    let (attach, _) = attempt(&mut client());
    let resume = Attach { resume_only: true, ..attach };
    assert_eq!(Stream::connector(&resume, INSTANCE, Config::default(), now()).err(), Some(4410));
}

#[test]
fn t06_a_replayed_attempt_is_superseded_and_delivers_nothing() {
    let (mut client, mut connector) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let (second, _) = attempt(&mut client);
    connector.take_over(&second, now()).unwrap();
    assert_eq!(connector.take_over(&second, now()), Err(SUPERSEDED));
    connector.handle_bytes(1, Bytes::from_static(b"\x07\0\0\x02\0\0"), now());
    connector.handle_lane_end(1, LaneEnd::Ended(4412), now());
    assert_eq!((over(&connector), connector.generation()), (None, 2));
}

#[test]
fn t06_a_client_that_was_overtaken_by_a_replay_tries_again() {
    let mut client = client();
    client.attach(|_| [0; 64]).unwrap();
    send(&mut client, now());
    client.handle_bytes(1, Intake::reject(SUPERSEDED), now());
    assert_eq!((over(&client), events(&mut client)), (None, vec![Event::Detached]));
    assert_eq!(client.attach(|_| [0; 64]), Some(2));
    client.handle_bytes(2, Intake::reject(PROOF_FAILED), now());
    assert_eq!(over(&client), Some(4411));
}

#[test]
fn t06_another_key_instance_or_version_changes_nothing() {
    let (mut client, mut connector) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let (good, _) = attempt(&mut client);
    let key = Attach { key: [8; 32], ..good.clone() };
    let instance = Attach { instance: [8; 16], ..good.clone() };
    let version = Attach { version_min: 2, version_max: 3, ..good.clone() };
    assert_eq!(connector.take_over(&key, now()), Err(PROOF_FAILED));
    assert_eq!(connector.take_over(&instance, now()), Err(4410));
    assert_eq!(connector.take_over(&version, now()), Err(4410));
    assert_eq!((over(&connector), connector.generation()), (None, 1));
    connector.take_over(&good, now()).unwrap();
}

#[test]
fn t06_an_offset_that_cannot_be_ends_the_stream_loudly() {
    for wrong in [0, 100] {
        let (mut client, mut connector) = pair();
        write(&mut connector, "twelve bytes");
        let down = send(&mut connector, now());
        client.handle_bytes(1, down, now());
        let later = now() + Duration::from_millis(20);
        let ack = send(&mut client, later);
        connector.handle_bytes(1, ack, later);
        client.handle_lane_end(1, LaneEnd::Detached, now());
        let (attach, _) = attempt(&mut client);
        assert_eq!(attach.received, 12);
        let attach = Attach { received: wrong, ..attach };
        assert_eq!(connector.take_over(&attach, now()), Err(4410));
        assert_eq!(over(&connector), Some(4410));
    }
}

#[test]
fn t06_a_gap_ends_the_stream_and_is_never_skipped() {
    let (mut client, mut connector) = pair();
    write(&mut client, "lost");
    let _lost = send(&mut client, now());
    write(&mut client, "found");
    let found = send(&mut client, now());
    connector.handle_bytes(1, found, now());
    assert_eq!((over(&connector), read(&mut connector)), (Some(4410), vec![]));
    client.handle_bytes(1, send(&mut connector, now()), now());
    assert_eq!(over(&client), Some(4410));
}

#[test]
fn a_stream_without_a_lane_dies_with_its_window_and_reads_its_source_only_up_to_its_cap() {
    let config = Config { replay_max: 100_000, ..Config::default() };
    let (attach, _) = attempt(&mut client());
    let mut connector = Stream::connector(&attach, INSTANCE, config, now()).unwrap();
    connector.handle_lane_end(1, LaneEnd::Detached, now());
    let mut source = Bytes::from(vec![0; 1_000_000]);
    while connector.write(&mut source).unwrap() > 0 {}
    assert!(connector.replay_held() <= 100_000 && connector.writable() == 0);
    let window = now() + Duration::from_secs(120);
    assert_eq!(connector.poll_timeout(), Some(window));
    connector.handle_timeout(window);
    assert_eq!((over(&connector), connector.replay_held()), (Some(4410), 0));
}

#[test]
fn attempts_that_fail_do_not_stretch_the_window() {
    let (mut client, _) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    for second in 1..=119 {
        let at = now() + Duration::from_secs(second);
        let generation = client.attach(|_| [0; 64]).unwrap();
        client.handle_lane_end(generation, LaneEnd::Detached, at);
        client.handle_timeout(at);
        assert_eq!(over(&client), None);
    }
    client.handle_timeout(now() + Duration::from_secs(120));
    assert_eq!(over(&client), Some(4410));
}

#[test]
fn the_hard_expiry_ends_an_attached_stream_at_both_ends() {
    let (mut client, mut connector) = pair();
    let at = now() + Duration::from_secs(5);
    connector.set_expiry(Some(at));
    assert_eq!(connector.poll_timeout(), Some(at));
    connector.handle_timeout(at);
    client.handle_bytes(1, send(&mut connector, at), at);
    assert_eq!((over(&connector), over(&client)), (Some(4445), Some(4445)));
}

#[test]
fn an_end_is_told_and_what_waited_is_dropped() {
    let (mut client, mut connector) = pair();
    write(&mut client, "never read");
    exchange(&mut client, &mut connector, now());
    connector.end(4412, now());
    assert_eq!(connector.read(100), None);
    client.handle_bytes(1, send(&mut connector, now()), now());
    assert_eq!(client.over(), Some(Over { code: 4412, reason: "ended by the peer" }));
    assert_eq!(connector.poll_transmit(&mut vec![], 1_000, now()), Poll::Idle);
}

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
