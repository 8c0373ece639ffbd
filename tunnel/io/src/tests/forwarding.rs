//! Two links with a forward between them, and splices to TCP.

use super::{End, open, pair, within};
use crate::{
    Cut, Detach, ForwardEnd, Forwarded, Lane, Side, forward, forward_resumable, shared::LaneEnd, splice,
};
use postern_ids::Ended;
use postern_tunnel_proto::{Reset, ResetClass};
use std::{future::poll_fn, io};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A client and a connector, each with its own link to a gateway that forwards one session.
struct Session {
    client: Lane,
    connector: Lane,
    cut: Cut,
    forwarding: JoinHandle<Forwarded>,
    client_link: (End, End),
    connector_link: (End, End),
}

async fn session() -> Session {
    let (mut client_link, mut connector_link) = (pair(), pair());
    let (client, a) = open(&client_link.0, &mut client_link.1).await;
    let (b, connector) = open(&connector_link.1, &mut connector_link.0).await;
    let cut = Cut::new();
    let forwarding = tokio::spawn(forward(a, b, cut.clone()));
    Session { client, connector, cut, forwarding, client_link, connector_link }
}

#[tokio::test]
async fn a_forward_carries_both_ways_keeps_half_close_and_counts() {
    let mut session = session().await;
    let question = vec![1; 1 << 20];
    let asking = async {
        session.client.write_all(&question).await.unwrap();
        session.client.shutdown().await.unwrap();
    };
    let mut asked = Vec::new();
    let (_, read) = within(async { tokio::join!(asking, session.connector.read_to_end(&mut asked)) }).await;
    read.unwrap();
    assert_eq!(asked, question);
    session.connector.write_all(b"answer").await.unwrap();
    session.connector.shutdown().await.unwrap();
    let mut answered = Vec::new();
    within(session.client.read_to_end(&mut answered)).await.unwrap();
    assert_eq!(answered, b"answer");
    let forwarded = within(session.forwarding).await.unwrap();
    assert_eq!(forwarded, Forwarded { up: 1 << 20, down: 6, end: ForwardEnd::Finished });
}

#[tokio::test]
async fn a_cut_resets_both_lanes_with_its_code() {
    let mut session = session().await;
    session.client.write_all(b"x").await.unwrap();
    assert_eq!(within(session.connector.read_u8()).await.unwrap(), b'x');
    assert!(session.cut.cut(Ended::UserDisabled));
    assert_eq!(within(session.forwarding).await.unwrap().end, ForwardEnd::Cut(Ended::UserDisabled));
    for lane in [&mut session.client, &mut session.connector] {
        let error = within(lane.read_u8()).await.unwrap_err();
        assert_eq!(error.to_string(), Ended::UserDisabled.sentence());
    }
}

#[tokio::test]
async fn a_reset_of_either_side_is_passed_on() {
    let mut first = session().await;
    first.client.reset(Ended::ClientLost.code());
    let error = within(first.connector.read_u8()).await.unwrap_err();
    assert_eq!(error.to_string(), Ended::ClientLost.sentence());
    let end = within(first.forwarding).await.unwrap().end;
    assert_eq!(end, ForwardEnd::Reset { by: Side::A, code: Ended::ClientLost.code(), detach: false });

    let mut second = session().await;
    second.connector.reset(Ended::TargetFailed.code());
    let error = within(second.client.read_u8()).await.unwrap_err();
    assert_eq!(error.to_string(), Ended::TargetFailed.sentence());
}

#[tokio::test]
async fn a_reset_is_heard_after_the_other_direction_has_finished_or_waits() {
    let mut session = session().await;
    session.client.shutdown().await.unwrap();
    assert_eq!(within(session.connector.read(&mut [0; 1])).await.unwrap(), 0);
    session.client.reset(Ended::ClientLost.code());
    assert_eq!(
        within(session.forwarding).await.unwrap().end,
        ForwardEnd::Reset { by: Side::A, code: Ended::ClientLost.code(), detach: false }
    );

    let mut full = self::session().await;
    let filling = tokio::spawn(async move { full.client.write_all(&[0; 16 << 20]).await });
    within(full.connector.read_u8()).await.unwrap();
    full.client_link.0.link.close(1000, "gone");
    assert_eq!(within(full.forwarding).await.unwrap().end, ForwardEnd::LinkLost { by: Side::A });
    assert!(within(filling).await.unwrap().is_err());
}

#[tokio::test]
async fn a_lost_link_ends_the_session_on_the_other_one() {
    let mut session = session().await;
    session.connector_link.0.link.close(1000, "gone");
    assert_eq!(within(session.forwarding).await.unwrap().end, ForwardEnd::LinkLost { by: Side::B });
    let error = within(session.client.read_u8()).await.unwrap_err();
    assert_eq!(error.to_string(), Ended::ConnectorLost.sentence());
    assert_eq!(session.client_link.1.link.lanes(), 0);
}

#[tokio::test]
async fn a_forward_that_is_dropped_resets_both_lanes_and_holds_nothing() {
    let mut session = session().await;
    session.forwarding.abort();
    for lane in [&mut session.client, &mut session.connector] {
        assert_eq!(within(lane.read_u8()).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    assert_eq!((session.client_link.1.link.lanes(), session.connector_link.1.link.lanes()), (0, 0));
}

/// A session of a resumable stream, with the order to let it go.
async fn resumable() -> (Session, Detach) {
    let (mut client_link, mut connector_link) = (pair(), pair());
    let (client, a) = open(&client_link.0, &mut client_link.1).await;
    let (b, connector) = open(&connector_link.1, &mut connector_link.0).await;
    let (cut, detach) = (Cut::new(), Detach::new());
    let forwarding = tokio::spawn(forward_resumable(a, b, cut.clone(), detach.clone()));
    (Session { client, connector, cut, forwarding, client_link, connector_link }, detach)
}

async fn reset_of(lane: &Lane) -> (u16, ResetClass) {
    match within(poll_fn(|cx| lane.poll_ended(cx))).await {
        LaneEnd::Reset(Reset { code, class }) => (code, class),
        end @ (LaneEnd::Done | LaneEnd::LinkLost) => panic!("expected a reset, got {end:?}"),
    }
}

#[tokio::test]
async fn a_resumable_session_lets_the_other_lane_go_when_a_link_is_lost() {
    let (first, _detach) = resumable().await;
    first.client_link.0.link.close(1000, "gone");
    assert_eq!(reset_of(&first.connector).await, (Ended::ClientLost.code(), ResetClass::Detach));
    assert_eq!(within(first.forwarding).await.unwrap().end, ForwardEnd::LinkLost { by: Side::A });

    let (second, _detach) = resumable().await;
    second.connector_link.0.link.close(1000, "gone");
    assert_eq!(reset_of(&second.client).await, (Ended::ConnectorLost.code(), ResetClass::Detach));
    assert_eq!(within(second.forwarding).await.unwrap().end, ForwardEnd::LinkLost { by: Side::B });
}

#[tokio::test]
async fn a_resumable_session_lets_both_lanes_go_by_order() {
    let (session, detach) = resumable().await;
    assert!(detach.detach(Ended::GatewayStopped.code()));
    assert!(!detach.detach(4409), "the first order counts");
    for lane in [&session.client, &session.connector] {
        assert_eq!(reset_of(lane).await, (Ended::GatewayStopped.code(), ResetClass::Detach));
    }
    let end = within(session.forwarding).await.unwrap().end;
    assert_eq!(end, ForwardEnd::Detached(Ended::GatewayStopped.code()));
}

#[tokio::test]
async fn a_resumable_session_passes_a_reset_on_as_what_it_was_and_a_cut_ends_it() {
    let (let_go, _detach) = resumable().await;
    let_go.connector.detach(4409);
    assert_eq!(reset_of(&let_go.client).await, (4409, ResetClass::Detach));
    let end = within(let_go.forwarding).await.unwrap().end;
    assert_eq!(end, ForwardEnd::Reset { by: Side::B, code: 4409, detach: true });

    let (ended, _detach) = resumable().await;
    ended.client.reset(4442);
    assert_eq!(reset_of(&ended.connector).await, (4442, ResetClass::End));
    let end = within(ended.forwarding).await.unwrap().end;
    assert_eq!(end, ForwardEnd::Reset { by: Side::A, code: 4442, detach: false });

    let (cut, _detach) = resumable().await;
    cut.cut.cut(Ended::Revoked);
    for lane in [&cut.client, &cut.connector] {
        assert_eq!(reset_of(lane).await, (Ended::Revoked.code(), ResetClass::End));
    }
}

/// A lane whose far end is spliced to a TCP connection.
async fn spliced() -> (Lane, TcpStream, JoinHandle<Forwarded>, Cut, (End, End)) {
    let mut link = pair();
    let (near, far) = open(&link.0, &mut link.1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (target, _) = listener.accept().await.unwrap();
    let cut = Cut::new();
    let splicing = tokio::spawn(splice(far, tcp, cut.clone()));
    (near, target, splicing, cut, link)
}

#[tokio::test]
async fn a_splice_carries_both_ways_and_keeps_half_close() {
    let (mut lane, mut target, splicing, _cut, _link) = spliced().await;
    let question = vec![3; 3 << 20];
    let asking = async {
        lane.write_all(&question).await.unwrap();
        lane.shutdown().await.unwrap();
    };
    let mut asked = Vec::new();
    let (_, read) = within(async { tokio::join!(asking, target.read_to_end(&mut asked)) }).await;
    read.unwrap();
    assert_eq!(asked, question);
    let answer = vec![5; 2 << 20];
    let answering = async {
        target.write_all(&answer).await.unwrap();
        target.shutdown().await.unwrap();
    };
    let mut answered = Vec::new();
    let (_, read) = within(async { tokio::join!(answering, lane.read_to_end(&mut answered)) }).await;
    read.unwrap();
    assert_eq!(answered, answer);
    let forwarded = within(splicing).await.unwrap();
    assert_eq!(forwarded, Forwarded { up: 3 << 20, down: 2 << 20, end: ForwardEnd::Finished });
}

#[tokio::test]
async fn a_cut_closes_the_target_even_when_it_does_not_read() {
    let (mut lane, mut target, splicing, cut, _link) = spliced().await;
    let filling = tokio::spawn(async move { lane.write_all(&[0; 64 << 20]).await });
    within(target.read_u8()).await.unwrap();
    cut.cut(Ended::Revoked);
    assert_eq!(within(splicing).await.unwrap().end, ForwardEnd::Cut(Ended::Revoked));
    assert!(within(filling).await.unwrap().is_err());
    let mut rest = Vec::new();
    let _ = within(target.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_reset_lane_closes_the_target_while_the_target_is_idle() {
    let (lane, mut target, splicing, _cut, _link) = spliced().await;
    lane.reset(Ended::Expired.code());
    let end = within(splicing).await.unwrap().end;
    assert_eq!(end, ForwardEnd::Reset { by: Side::A, code: Ended::Expired.code(), detach: false });
    assert!(matches!(within(target.read(&mut [0; 1])).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_target_that_breaks_resets_the_lane() {
    let (mut lane, target, splicing, _cut, _link) = spliced().await;
    // Zero linger: the kernel sends a reset instead of an end of stream.
    socket2::SockRef::from(&target).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(target);
    let error = within(lane.read_u8()).await.unwrap_err();
    assert_eq!(error.to_string(), Ended::TargetFailed.sentence());
    assert_eq!(within(splicing).await.unwrap().end, ForwardEnd::Tcp(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn ten_thousand_cuts_are_carried_out_well_within_a_second() {
    let (mut client_link, mut connector_link) = (pair(), pair());
    let mut held = Vec::new();
    for _ in 0..10_000 {
        let (client, a) = open(&client_link.0, &mut client_link.1).await;
        let (b, connector) = open(&connector_link.1, &mut connector_link.0).await;
        let cut = Cut::new();
        held.push((client, connector, cut.clone(), tokio::spawn(forward(a, b, cut))));
    }
    let begun = std::time::Instant::now();
    for (_, _, cut, _) in &held {
        cut.cut(Ended::Revoked);
    }
    for (mut client, mut connector, _, forwarding) in held {
        assert!(within(client.read_u8()).await.is_err());
        assert!(within(connector.read_u8()).await.is_err());
        assert_eq!(within(forwarding).await.unwrap().end, ForwardEnd::Cut(Ended::Revoked));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
}
