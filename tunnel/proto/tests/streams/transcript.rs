//! What ties a lane to its stream, attacked from either end (T16): versions, the confirmation that each side waits for, and
//! numbers that only ever grow.

use crate::scene::{INSTANCE, attempt, client, events, exchange, now, over, pair, read, send, write};
use bytes::Bytes;
use postern_tunnel_proto::stream::{Attach, Config, Event, LaneEnd, Stream};

const FAILED: u16 = 4410;

/// A record as it goes over a lane.
fn record(kind: u8, payload: &[u8]) -> Bytes {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], payload].concat().into()
}

fn data(offset: u64, bytes: &[u8]) -> Bytes {
    record(4, &[&offset.to_be_bytes(), bytes].concat())
}

fn ack(received: u64) -> Bytes {
    record(5, &[received.to_be_bytes(), (received + 65_536).to_be_bytes()].concat())
}

fn welcome(version: u16, generation: u32, received: u64, instance: [u8; 16]) -> Bytes {
    let numbers = [&version.to_be_bytes()[..], &generation.to_be_bytes(), &received.to_be_bytes()].concat();
    record(2, &[&numbers[..], &instance].concat())
}

/// A client whose attempt was sent and not answered yet.
fn asking() -> Stream {
    let mut client = client();
    attempt(&mut client);
    client
}

#[test]
fn t16_a_version_that_was_lowered_is_refused_in_an_attach_and_in_a_welcome() {
    let (attach, _) = attempt(&mut client());
    for (version_min, version_max) in [(0, 0), (2, 2), (2, u16::MAX)] {
        let other = Attach { version_min, version_max, ..attach.clone() };
        assert_eq!(Stream::connector(&other, INSTANCE, Config::default(), now()).err(), Some(FAILED));
    }
    for version in [0, 2, u16::MAX] {
        let mut client = asking();
        client.handle_bytes(1, welcome(version, 1, 0, INSTANCE), now());
        assert_eq!(over(&client), Some(FAILED), "version {version}");
    }
    // Neither end takes another one in the middle of a stream.
    let (mut client, mut connector) = pair();
    client.handle_lane_end(1, LaneEnd::Detached, now());
    let (second, _) = attempt(&mut client);
    let other = Attach { version_min: 0, version_max: 0, ..second };
    assert_eq!(connector.take_over(&other, now()), Err(FAILED));
    assert_eq!(over(&connector), None, "whoever changed it cannot end the stream");
    client.handle_bytes(2, welcome(0, 2, 0, INSTANCE), now());
    assert_eq!(over(&client), Some(FAILED));
}

#[test]
fn t16_a_client_takes_nothing_before_its_very_attempt_is_confirmed() {
    let elsewhere = [8; 16];
    for (what, bytes) in [
        ("data", data(0, b"SSH-2.0-attacker")),
        ("an ack", ack(0)),
        ("a fin", record(6, &0_u64.to_be_bytes())),
        ("an end", record(7, &1000_u16.to_be_bytes())),
        ("an attach", record(1, &[0; 145])),
        ("a welcome of an earlier attempt", welcome(1, 1, 0, INSTANCE)),
        ("a welcome of a later attempt", welcome(1, 3, 0, INSTANCE)),
        ("a welcome of another process", welcome(1, 2, 0, elsewhere)),
        ("a welcome of no process", welcome(1, 2, 0, [0; 16])),
        ("a welcome that claims what was never sent", welcome(1, 2, 1_000, INSTANCE)),
    ] {
        let (mut client, _) = pair();
        client.handle_lane_end(1, LaneEnd::Detached, now());
        attempt(&mut client);
        client.handle_bytes(2, bytes, now());
        assert_eq!(over(&client), Some(FAILED), "{what}");
        assert_eq!(read(&mut client), b"", "{what}");
    }
}

#[test]
fn t16_a_confirmation_counts_once() {
    let mut client = asking();
    client.handle_bytes(1, welcome(1, 1, 0, INSTANCE), now());
    assert_eq!(events(&mut client), [Event::Attached { generation: 1 }]);
    client.handle_bytes(1, welcome(1, 1, 0, INSTANCE), now());
    assert_eq!(over(&client), Some(FAILED));
    let (_, mut connector) = pair();
    connector.handle_bytes(1, record(1, &[0; 145]), now());
    assert_eq!(over(&connector), Some(FAILED), "an attach is the first record of its lane, or none");
}

#[test]
fn t16_numbers_go_on_through_every_resume_and_never_start_again() {
    let (mut client, mut connector) = pair();
    let (mut up, mut down) = (vec![], vec![]);
    for generation in 2..=9 {
        write(&mut client, "up ");
        write(&mut connector, "down ");
        exchange(&mut client, &mut connector, now());
        up.extend(read(&mut connector));
        down.extend(read(&mut client));
        client.handle_lane_end(generation - 1, LaneEnd::Detached, now());
        connector.handle_lane_end(generation - 1, LaneEnd::Detached, now());
        let (attach, _) = attempt(&mut client);
        assert_eq!((attach.generation, attach.received), (generation, down.len() as u64));
        connector.take_over(&attach, now()).unwrap();
        exchange(&mut client, &mut connector, now());
    }
    assert_eq!((up, down), (b"up ".repeat(8), b"down ".repeat(8)));
    // Bytes under numbers that were used are not taken a second time, whatever they are now.
    connector.handle_bytes(9, data(0, b"rm -rf /"), now());
    client.handle_bytes(9, data(0, b"password:"), now());
    assert_eq!((read(&mut connector), read(&mut client)), (vec![], vec![]));
    assert_eq!((over(&connector), over(&client)), (None, None));
}

#[test]
fn t16_a_peer_whose_numbers_went_back_or_round_ends_the_stream() {
    let resumed = || {
        let (mut client, mut connector) = pair();
        write(&mut client, "twelve bytes");
        exchange(&mut client, &mut connector, now());
        client.handle_lane_end(1, LaneEnd::Detached, now());
        connector.handle_lane_end(1, LaneEnd::Detached, now());
        (client, connector)
    };
    // The connector has acknowledged all twelve, and states less.
    let (mut client, mut connector) = resumed();
    let later = now() + Config::default().ack_after;
    connector.take_over(&attempt(&mut client).0, later).unwrap();
    exchange(&mut client, &mut connector, later);
    client.handle_lane_end(2, LaneEnd::Detached, later);
    attempt(&mut client);
    client.handle_bytes(3, welcome(1, 3, 11, INSTANCE), later);
    assert_eq!(over(&client), Some(FAILED), "what is acknowledged is not kept to be sent again");
    // Past the greatest number there is.
    for record in [data(u64::MAX, b"x"), data(u64::MAX - 3, b"five!"), ack(u64::MAX - 65_536)] {
        let (_, mut connector) = pair();
        connector.handle_bytes(1, record, now());
        assert_eq!((over(&connector), read(&mut connector)), (Some(FAILED), vec![]));
    }
    let (_, mut connector) = resumed();
    let (attach, _) = attempt(&mut client_at(9));
    let wrong = Attach { received: u64::MAX, ..attach };
    assert_eq!(connector.take_over(&wrong, now()), Err(FAILED));
    assert_eq!(over(&connector), Some(FAILED));
}

/// A client that has asked so often that its next attempt is of this generation.
fn client_at(generation: u32) -> Stream {
    let mut client = client();
    for earlier in 1..generation {
        attempt(&mut client);
        client.handle_lane_end(earlier, LaneEnd::Detached, now());
    }
    client
}

#[test]
fn t16_a_record_that_was_changed_on_its_way_closes_the_stream_loudly() {
    let whole = data(0, b"payload");
    // The kind, and each byte of the length: nothing that follows can be believed.
    for (at, to) in [(0, 0), (0, 8), (0, 0xff), (1, 0xff), (3, 8)] {
        let mut changed = whole.to_vec();
        changed[at] = to;
        let (_, mut connector) = pair();
        connector.handle_bytes(1, changed.into(), now());
        assert_eq!(over(&connector), Some(FAILED), "byte {at} is {to}");
        let told = send(&mut connector, now());
        assert_eq!(told, record(7, &FAILED.to_be_bytes()), "the peer hears it");
    }
}
