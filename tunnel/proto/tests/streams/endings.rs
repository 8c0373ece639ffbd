//! How a stream ends, and who learns of it.

use crate::scene::{INSTANCE, attempt, client, events, exchange, now, over, pair, read, send, write};
use bytes::Bytes;
use postern_tunnel_proto::{
    Read,
    stream::{Config, Event, Intake, LaneEnd, Over, Poll, Stream},
};
use std::time::Duration;

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
    exchange_all_but_the_last_ack(&mut client, &mut connector);
    assert_eq!((over(&client), over(&connector)), (None, Some(1000)));
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let (attach, _) = attempt(&mut client);
    connector.take_over(&attach, now()).unwrap();
    client.handle_bytes(2, send(&mut connector, now()), now());
    send(&mut client, now());
    assert_eq!(over(&client), Some(1000));
    // A client that noticed late that its lane was dead still has its whole window.
    connector.handle_timeout(now() + Duration::from_secs(149));
    assert_ne!(events(&mut connector).last(), Some(&Event::Forget));
    connector.handle_timeout(now() + Duration::from_secs(150));
    assert_eq!(events(&mut connector).last(), Some(&Event::Forget));
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
fn t06_an_orderly_end_that_nobody_finished_is_not_believed() {
    let finished = LaneEnd::Ended(1000);
    let end_1000 = || Bytes::from_static(&[7, 0, 0, 2, 0x03, 0xe8]);
    for by_record in [true, false] {
        let (mut client, mut connector) = pair();
        write(&mut connector, "half of");
        client.handle_bytes(1, send(&mut connector, now()), now());
        match by_record {
            true => client.handle_bytes(1, end_1000(), now()),
            false => client.handle_lane_end(1, finished, now()),
        }
        assert_eq!((over(&client), client.read(100)), (Some(4410), None), "it would look like the whole");
    }
    let (mut client, _) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    client.attach(|_| [0; 64]).unwrap();
    client.handle_bytes(2, Intake::reject(1000), now());
    assert_eq!(over(&client), Some(4410));
}

#[test]
fn a_client_that_only_missed_the_last_acknowledgement_believes_whoever_saw_the_end() {
    let (mut client, mut connector) = pair();
    write(&mut connector, "the whole answer");
    connector.finish();
    client.finish();
    exchange_all_but_the_last_ack(&mut client, &mut connector);
    assert_eq!((over(&client), over(&connector)), (None, Some(1000)));
    client.handle_lane_end(1, LaneEnd::Detached, now());
    client.attach(|_| [0; 64]).unwrap();
    // A gateway that recorded the end says so instead of asking the connector.
    client.handle_lane_end(2, LaneEnd::Ended(1000), now());
    assert_eq!((over(&client), read(&mut client)), (Some(1000), b"the whole answer".to_vec()));
    assert_eq!(client.read(1), Some(Read::Finished));
}

/// A client that has everything, and a connector that does not know it: the lane died with the last acknowledgement.
fn untold() -> (Stream, Stream) {
    let (mut client, mut connector) = pair();
    client.finish();
    write(&mut connector, "the whole answer");
    connector.finish();
    let (up, down) = (send(&mut client, now()), send(&mut connector, now()));
    connector.handle_bytes(1, up, now());
    client.handle_bytes(1, down, now());
    client.handle_bytes(1, send(&mut connector, now()), now());
    let _lost = send(&mut client, now());
    assert_eq!((over(&client), over(&connector)), (Some(1000), None));
    assert!(!client.wants_lane(), "its last words may arrive");
    for end in [&mut client, &mut connector] {
        end.handle_lane_end(1, LaneEnd::Detached, now());
    }
    (client, connector)
}

#[test]
fn a_connector_that_missed_the_last_acknowledgement_is_told_over_another_lane() {
    let (mut client, mut connector) = untold();
    assert!(client.wants_lane());
    let (attach, rest) = attempt(&mut client);
    assert!(attach.resume_only && rest.is_empty());
    connector.take_over(&attach, now()).unwrap();
    let mut out = vec![];
    assert_eq!(
        client.poll_transmit(&mut out, 1_000, now()),
        Poll::Idle,
        "no end of the lane before the answer"
    );
    client.handle_bytes(2, send(&mut connector, now()), now());
    assert_eq!((over(&connector), client.wants_lane()), (Some(1000), false));
    assert_eq!(client.poll_transmit(&mut out, 1_000, now()), Poll::FinishLane);
    // It was heard: a lane that is lost after that is nobody's concern.
    client.handle_lane_end(2, LaneEnd::Detached, now());
    assert!(!client.wants_lane() && client.attach(|_| [0; 64]).is_none());
    assert_eq!(read(&mut client), b"the whole answer");
}

#[test]
fn a_client_that_has_everything_gives_up_telling_it_after_ten_seconds() {
    let (mut client, _) = untold();
    let second = Duration::from_secs(1);
    for attempts in 2..=9 {
        let at = now() + second * attempts;
        let generation = client.attach(|_| [0; 64]).unwrap();
        client.handle_lane_end(generation, LaneEnd::Detached, at);
        client.handle_timeout(at);
        assert!(client.wants_lane(), "{attempts}");
    }
    assert_eq!(client.poll_timeout(), Some(now() + second * 10));
    events(&mut client);
    client.handle_timeout(now() + second * 10);
    assert_eq!((client.wants_lane(), client.poll_timeout()), (false, None));
    assert_eq!(events(&mut client), [Event::Detached], "a lane that never answered is let go");
    assert_eq!(over(&client), Some(1000));
}

#[test]
fn whoever_refuses_a_client_that_has_everything_knows_of_the_end() {
    let (mut client, _) = untold();
    let generation = client.attach(|_| [0; 64]).unwrap();
    client.handle_lane_end(generation, LaneEnd::Ended(4410), now());
    assert_eq!((client.wants_lane(), over(&client)), (false, Some(1000)));
    assert_eq!(read(&mut client), b"the whole answer");
}

fn exchange_all_but_the_last_ack(client: &mut Stream, connector: &mut Stream) {
    let (up, down) = (send(client, now()), send(connector, now()));
    connector.handle_bytes(1, up, now());
    client.handle_bytes(1, down, now());
    connector.handle_bytes(1, send(client, now()), now());
    let _lost = send(connector, now());
}
