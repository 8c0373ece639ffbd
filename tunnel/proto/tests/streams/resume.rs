//! Attempts, proofs, generations and offsets.

use crate::scene::{INSTANCE, attempt, client, events, exchange, now, over, pair, read, send, write};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::stream::{
    Attach, Config, Event, Intake, LaneEnd, PROOF_FAILED, SUPERSEDED, Stream,
};
use std::time::Duration;

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
