//! Lanes between two links.

use super::{End, SOON, open, pair, within};
use crate::{Blame, Event, Open, OpenError};
use bytes::Bytes;
use postern_ids::{Ended, Refusal, SessionId, Timestamp};
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn metadata_and_early_bytes_arrive_with_the_open_and_the_answer_with_the_lane() {
    let (dialer, mut acceptor) = pair();
    let request = Open { flow: 7, metadata: "who".into(), early: "first".into() };
    let accepting = async {
        let lane = acceptor.lane().await;
        assert_eq!((lane.flow, &*lane.metadata, &*lane.early), (7, &b"who"[..], &b"first"[..]));
        lane.accept("welcome".into())
    };
    let (opened, mut far) = tokio::join!(dialer.link.open(request), accepting);
    let mut opened = opened.unwrap();
    assert_eq!(opened.metadata, "welcome");
    opened.lane.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    within(far.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"ping");
    assert_eq!((dialer.link.lanes(), acceptor.link.lanes()), (1, 1));
}

#[tokio::test]
async fn a_refusal_carries_its_code_and_detail() {
    let (dialer, mut acceptor) = pair();
    let refusing = async { acceptor.lane().await.refuse(Refusal::Denied.code(), b"no") };
    let (opened, ()) = tokio::join!(dialer.link.open(Open::default()), refusing);
    let Err(OpenError::Refused { code, detail }) = opened else { panic!("opened") };
    assert_eq!((code, &*detail), (Refusal::Denied.code(), &b"no"[..]));
    assert_eq!(dialer.link.lanes(), 0);
}

#[tokio::test]
async fn an_incoming_lane_that_is_dropped_is_refused_as_draining() {
    let (dialer, mut acceptor) = pair();
    let dropping = async { drop(acceptor.lane().await) };
    let (opened, ()) = tokio::join!(dialer.link.open(Open::default()), dropping);
    assert!(matches!(opened, Err(OpenError::Refused { code, .. }) if code == Refusal::Draining.code()));
}

#[tokio::test]
async fn an_open_that_is_given_up_is_taken_back() {
    let (dialer, mut acceptor) = pair();
    {
        let mut opening = std::pin::pin!(dialer.link.open(Open::default()));
        let lane = tokio::select! {
            _ = &mut opening => panic!("nobody accepted"),
            lane = acceptor.lane() => lane,
        };
        // The request is on its way back when the accepter answers: its lane reads as reset.
        drop(lane.accept(Bytes::new()));
    }
    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    near.write_all(b"x").await.unwrap();
    assert_eq!(within(far.read_u8()).await.unwrap(), b'x');
}

#[tokio::test]
async fn each_direction_is_closed_alone() {
    let (dialer, mut acceptor) = pair();
    for accepter_closes_first in [false, true] {
        let (mut one, mut other) = open(&dialer, &mut acceptor).await;
        if accepter_closes_first {
            std::mem::swap(&mut one, &mut other);
        }
        one.write_all(b"question").await.unwrap();
        one.shutdown().await.unwrap();
        let mut asked = Vec::new();
        within(other.read_to_end(&mut asked)).await.unwrap();
        other.write_all(b"answer").await.unwrap();
        other.shutdown().await.unwrap();
        let mut answered = Vec::new();
        within(one.read_to_end(&mut answered)).await.unwrap();
        assert_eq!((&*asked, &*answered), (&b"question"[..], &b"answer"[..]));
    }
    assert_eq!(dialer.link.lanes(), 0);
}

#[tokio::test]
async fn a_reset_reaches_the_reader_and_the_writer_with_its_code() {
    let (dialer, mut acceptor) = pair();
    let (near, mut far) = open(&dialer, &mut acceptor).await;
    near.reset(Ended::Revoked.code());
    let error = within(far.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(error.to_string(), Ended::Revoked.sentence());
    assert_eq!(far.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_lane_dropped_without_an_end_is_reset_and_one_that_finished_is_not() {
    let (dialer, mut acceptor) = pair();
    let (near, mut far) = open(&dialer, &mut acceptor).await;
    drop(near);
    assert_eq!(within(far.read_u8()).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    far.shutdown().await.unwrap();
    assert_eq!(within(near.read(&mut [0; 8])).await.unwrap(), 0);
    near.write_all(&[7; 100_000]).await.unwrap();
    near.shutdown().await.unwrap();
    drop(near);
    let mut bytes = Vec::new();
    within(far.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(bytes.len(), 100_000);
}

#[tokio::test]
async fn megabytes_arrive_whole_and_in_order_both_ways_at_once() {
    const LENGTH: usize = 8 << 20;
    let (dialer, mut acceptor) = pair();
    let (near, far) = open(&dialer, &mut acceptor).await;
    let bytes: Vec<u8> = (0..LENGTH).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let work = [near, far].map(|lane| {
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let (mut from, mut to) = tokio::io::split(lane);
            let sending = async {
                to.write_all(&bytes).await.unwrap();
                to.shutdown().await.unwrap();
            };
            let mut came = Vec::with_capacity(LENGTH);
            let (_, read) = tokio::join!(sending, from.read_to_end(&mut came));
            read.unwrap();
            assert!(came == bytes);
        })
    });
    for done in work {
        tokio::time::timeout(SOON * 3, done).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_lane_that_nobody_reads_delays_no_other() {
    let (dialer, mut acceptor) = pair();
    let (mut stuck, _unread) = open(&dialer, &mut acceptor).await;
    let filling = tokio::spawn(async move { stuck.write_all(&[0; 8 << 20]).await });
    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    for _ in 0..100 {
        near.write_all(b"x").await.unwrap();
        assert_eq!(within(far.read_u8()).await.unwrap(), b'x');
    }
    assert!(!filling.is_finished());
    filling.abort();
}

#[tokio::test]
async fn a_closed_link_tells_both_ends_and_every_lane() {
    let (dialer, mut acceptor) = pair();
    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    dialer.link.close(Ended::Revoked.code(), "access was revoked");
    let ended = within(acceptor.link.closed()).await;
    assert_eq!((ended.code, ended.by), (Ended::Revoked.code(), Blame::Peer));
    assert_eq!(ended.reason, "access was revoked");
    assert_eq!(within(dialer.link.closed()).await.by, Blame::Us);
    for lane in [&mut near, &mut far] {
        assert_eq!(within(lane.read_u8()).await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
    assert!(within(acceptor.incoming.next()).await.is_none());
    assert!(matches!(acceptor.link.open(Open::default()).await, Err(OpenError::LinkLost)));
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_link_as_lost() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let dialer = End::new(near, postern_tunnel_proto::Side::Dialer, crate::LinkConfig::default());
    drop(far);
    let ended = within(dialer.link.closed()).await;
    assert_eq!((ended.code, ended.by), (1006, Blame::Network));
    assert!(matches!(within(dialer.link.open(Open::default())).await, Err(OpenError::LinkLost)));
}

#[tokio::test]
async fn news_of_the_link_come_in_order() {
    let (dialer, mut acceptor) = pair();
    let (near, _far) = open(&dialer, &mut acceptor).await;
    let session = SessionId::mint(Timestamp::from_secs(1), [1; 10]);
    dialer.link.send_inventory(Bytes::new(), true);
    dialer.link.kill(session, Ended::Expired.code());
    dialer.link.go_away(Ended::GatewayStopped.code(), "later");
    assert!(matches!(within(acceptor.incoming.next()).await, Some(Event::Inventory { last: true, .. })));
    let killed = within(acceptor.incoming.next()).await;
    assert!(
        matches!(killed, Some(Event::Kill { session: s, code }) if s == session && code == Ended::Expired.code())
    );
    let away = within(acceptor.incoming.next()).await;
    assert!(matches!(away, Some(Event::GoAway { code: 1012, hint }) if hint == "later"));
    assert!(matches!(acceptor.link.open(Open::default()).await, Err(OpenError::LinkLost)));
    assert!(!acceptor.link.takes_lanes());
    drop(near);
}

#[tokio::test]
async fn a_link_without_a_listener_refuses_lanes_and_keeps_its_own() {
    let (mut dialer, mut acceptor) = pair();
    let (mut near, mut far) = open(&dialer, &mut acceptor).await;
    drop(acceptor.incoming);
    let refused = within(dialer.link.open(Open::default())).await;
    assert!(matches!(refused, Err(OpenError::Refused { code, .. }) if code == Refusal::Draining.code()));
    near.write_all(b"x").await.unwrap();
    assert_eq!(within(far.read_u8()).await.unwrap(), b'x');
    let asked = tokio::time::timeout(Duration::from_millis(1), dialer.incoming.next()).await;
    assert!(asked.is_err());
}
