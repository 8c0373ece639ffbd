//! Who may attach to a stream: the fence, the proof, the session, the instance (T6).

use crate::{
    client::{Attempt, Client, Record, acknowledge, data, finish, open_with, receive, reset, send, welcome},
    gateway::{Gateway, PATIENCE, Scene},
    target::{assert_untouched, target},
};
use postern_ids::{Ended, Refusal, SessionId};
use postern_token::GrantClaims;
use postern_tunnel_io::{Lane, stream::SUPERSEDED};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The next bytes at the target.
async fn heard<const N: usize>(tcp: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    timeout(PATIENCE, tcp.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

#[tokio::test]
async fn t06_an_open_sent_twice_attaches_and_dials_once() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let mut first = client.open(&gateway, &link, &claims, Attempt::first()).await.unwrap();
    assert_eq!(welcome(&mut first).await.0, 1);
    send(&mut first, 0, b"early").await;
    let (mut tcp, _) = target.accept().await.unwrap();
    assert_eq!(&heard::<5>(&mut tcp).await, b"early");
    // The answer to the first attempt was lost on its way; the client begins again.
    let again = Attempt { generation: 2, ..Attempt::first() };
    let mut second = client.open(&gateway, &link, &claims, again).await.unwrap();
    let (generation, received, _) = welcome(&mut second).await;
    assert_eq!((generation, received), (2, 5), "it learns what has come already");
    assert_eq!(reset(&mut first).await.code, SUPERSEDED, "the older lane is over");
    send(&mut second, 0, b"early and late").await;
    assert_eq!(&heard::<9>(&mut tcp).await, b" and late", "no byte comes twice");
    tcp.write_all(b"answer").await.unwrap();
    assert_eq!(data(&mut second).await, (0, b"answer".to_vec()));
    assert_untouched(&target).await;
}

#[tokio::test]
async fn t06_of_two_concurrent_attaches_exactly_one_delivers() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    // Both ask for a stream that does not exist: only one may dial, and only the newer one may deliver.
    let second = Attempt { generation: 2, ..Attempt::first() };
    let (first, second) = tokio::join!(
        client.open(&gateway, &link, &claims, Attempt::first()),
        client.open(&gateway, &link, &claims, second),
    );
    let mut second = second.unwrap();
    match first {
        Ok(mut first) => assert_eq!(reset(&mut first).await.code, SUPERSEDED),
        Err(code) => assert_eq!(code, SUPERSEDED),
    }
    let (mut tcp, _) = target.accept().await.unwrap();
    assert_eq!(welcome(&mut second).await.0, 2);
    send(&mut second, 0, b"once").await;
    assert_eq!(&heard::<4>(&mut tcp).await, b"once");
    assert_untouched(&target).await;
}

/// A stream that runs, for attempts that must not disturb it.
struct Running {
    gateway: Gateway,
    link: postern_tunnel_io::Link,
    client: Client,
    claims: GrantClaims,
    lane: Lane,
    tcp: TcpStream,
    instance: [u8; 16],
    connector: crate::gateway::Running,
}

impl Running {
    /// At generation 5.
    async fn start() -> Self {
        let (target, address, allow) = target().await;
        let (gateway, connector) = Gateway::with_connector(&allow).await;
        let link = gateway.accept().await.link;
        let client = Client::new();
        let claims = client.claims(&gateway, address);
        let attempt = Attempt { generation: 5, ..Attempt::first() };
        let mut lane = client.open(&gateway, &link, &claims, attempt).await.unwrap();
        let (_, _, instance) = welcome(&mut lane).await;
        let (tcp, _) = target.accept().await.unwrap();
        Self { gateway, link, client, claims, lane, tcp, instance, connector }
    }

    fn resume(&self, generation: u32) -> Attempt {
        Attempt { generation, resume_only: true, received: 0, instance: self.instance }
    }

    async fn refused(&self, claims: &GrantClaims, attempt: Attempt) -> Refusal {
        let opened = self.client.open(&self.gateway, &self.link, claims, attempt).await;
        Refusal::from_code(opened.unwrap_err()).unwrap()
    }

    /// The stream is as it was.
    async fn assert_undisturbed(mut self) {
        send(&mut self.lane, 0, b"up").await;
        assert_eq!(&heard::<2>(&mut self.tcp).await, b"up");
        self.tcp.write_all(b"down").await.unwrap();
        assert_eq!(data(&mut self.lane).await, (0, b"down".to_vec()));
    }
}

#[tokio::test]
async fn t06_a_replayed_or_older_generation_is_superseded() {
    let running = Running::start().await;
    for generation in [1, 4, 5] {
        assert_eq!(running.refused(&running.claims, running.resume(generation)).await, Refusal::Superseded);
        let open = Attempt { generation, ..Attempt::first() };
        assert_eq!(running.refused(&running.claims, open).await, Refusal::Superseded);
    }
    running.assert_undisturbed().await;
}

#[tokio::test]
async fn t06_a_wrong_key_or_proof_is_told_from_a_right_one() {
    let running = Running::start().await;
    // A thief with a grant for his own key, and the stream of somebody else.
    let thief = Client::of(running.client.stream);
    let claims = GrantClaims { cnf: Some(thief.key()), ..running.claims.clone() };
    let attempt = running.resume(6);
    let opened = thief.open(&running.gateway, &running.link, &claims, attempt).await;
    assert_eq!(opened.unwrap_err(), Refusal::ProofFailed.code(), "a key that is not the stream's");
    let opened = thief.open(&running.gateway, &running.link, &running.claims, attempt).await;
    assert_eq!(opened.unwrap_err(), Refusal::ProofFailed.code(), "a key that is not the grant's");
    let good = running.client.attach(attempt);
    for position in [6, 30, 58, 64, 70, 90, 148] {
        let mut forged = good.clone();
        forged[position] ^= 1;
        let opened = open_with(&running.gateway, &running.link, &running.claims, forged).await;
        assert_eq!(opened.unwrap_err(), Refusal::ProofFailed.code(), "byte {position}");
    }
    running.assert_undisturbed().await;
}

#[tokio::test]
async fn t06_another_session_does_not_get_the_stream() {
    let running = Running::start().await;
    let session = SessionId::mint(running.gateway.now, rand::random());
    let other = GrantClaims { session, ..running.claims.clone() };
    assert_eq!(running.refused(&other, running.resume(6)).await, Refusal::Superseded);
    running.assert_undisturbed().await;
}

#[tokio::test]
async fn t06_an_unknown_stream_is_not_resumed_and_nothing_is_dialed() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let resume = Attempt { generation: 2, resume_only: true, received: 0, instance: [7; 16] };
    let opened = client.open(&gateway, &link, &claims, resume).await;
    assert_eq!(opened.unwrap_err(), Refusal::ResumeUnknown.code());
    assert_untouched(&target).await;
}

#[tokio::test]
async fn t06_another_instance_of_the_connector_is_unknown() {
    let running = Running::start().await;
    let elsewhere = Attempt { instance: [7; 16], ..running.resume(6) };
    assert_eq!(running.refused(&running.claims, elsewhere).await, Refusal::ResumeUnknown);
    running.assert_undisturbed().await;
}

#[tokio::test]
async fn t06_an_offset_that_cannot_be_ends_the_stream_loudly() {
    let mut running = Running::start().await;
    let beyond = Attempt { received: 1_000, ..running.resume(6) };
    assert_eq!(running.refused(&running.claims, beyond).await, Refusal::ResumeUnknown);
    let closed = timeout(PATIENCE, running.tcp.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "the target is let go");
}

#[tokio::test]
async fn t12_a_resumable_lane_without_a_whole_attach_reaches_no_target() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let whole = client.attach(Attempt::first());
    let cut = whole[..whole.len() - 1].to_vec();
    for early in [vec![], cut, b"SSH-2.0-client\r\n".repeat(20)] {
        let opened = open_with(&gateway, &link, &claims, early).await;
        assert_eq!(opened.unwrap_err(), Refusal::BadRequest.code());
    }
    let stranger = Client::new();
    let opened = open_with(&gateway, &link, &claims, stranger.attach(Attempt::first())).await;
    assert_eq!(opened.unwrap_err(), Refusal::ProofFailed.code(), "another stream than the grant's");
    assert_untouched(&target).await;
}

/// Both directions to their ends, half-closed in between. The client has heard everything, and its lane is still open.
async fn finish_both_ways(running: &mut Running) {
    send(&mut running.lane, 0, b"question").await;
    finish(&mut running.lane, 8).await;
    let mut question = String::new();
    running.tcp.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    running.tcp.write_all(b"answer").await.unwrap();
    running.tcp.shutdown().await.unwrap();
    assert_eq!(data(&mut running.lane).await, (0, b"answer".to_vec()));
    acknowledge(&mut running.lane, 7).await;
    while receive(&mut running.lane).await.is_some() {}
}

#[tokio::test]
async fn t16_a_version_that_was_changed_on_the_way_or_is_not_ours_reaches_no_target() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let good = client.attach(Attempt::first());
    // After the type and the length: the oldest version, then the newest.
    for (at, to) in [(5, 0), (7, 2), (7, 0xff), (6, 1)] {
        let mut changed = good.clone();
        changed[at] = to;
        let opened = open_with(&gateway, &link, &claims, changed).await;
        let refused = Refusal::from_code(opened.unwrap_err()).unwrap();
        assert!([Refusal::ProofFailed, Refusal::BadRequest].contains(&refused), "byte {at}: {refused:?}");
    }
    for version in [0, 2] {
        let opened = open_with(&gateway, &link, &claims, client.attach_in(version, Attempt::first())).await;
        assert_eq!(opened.unwrap_err(), Refusal::ResumeUnknown.code(), "signed, and not spoken here");
    }
    assert_untouched(&target).await;
    let mut lane = open_with(&gateway, &link, &claims, good).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 1);
}

#[tokio::test]
async fn half_close_is_kept_and_a_client_that_missed_the_end_is_told() {
    let mut running = Running::start().await;
    finish_both_ways(&mut running).await;
    let missed = Attempt { received: 7, ..running.resume(6) };
    let mut lane =
        running.client.open(&running.gateway, &running.link, &running.claims, missed).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 6);
    let told = receive(&mut lane).await;
    assert_eq!(told, Some(Record::Ack(9)), "everything arrived, and the end of it");
}

#[tokio::test]
async fn a_client_that_knows_the_end_is_not_told_of_it_again() {
    let mut running = Running::start().await;
    finish_both_ways(&mut running).await;
    running.lane.shutdown().await.unwrap();
    running.connector.until(|status| status.sessions_live == 0).await;
    let again = Attempt { received: 7, ..running.resume(6) };
    assert_eq!(running.refused(&running.claims, again).await, Refusal::ResumeUnknown);
}

#[tokio::test]
async fn t06_an_open_that_is_replayed_after_the_window_dials_nothing_while_its_grant_lives() {
    let (target, address, allow) = target().await;
    let limits = "slots = 1\nresume_window_seconds = 1";
    let (gateway, _running) = Gateway::start(Scene { allow: &allow, limits, ..Scene::default() }).await;
    let link = gateway.accept().await.link;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let mut lane = client.open(&gateway, &link, &claims, Attempt::first()).await.unwrap();
    welcome(&mut lane).await;
    drop(target.accept().await.unwrap());
    link.kill(claims.session, Ended::EndedByAdmin.code());
    reset(&mut lane).await;
    // The window is over, and what is not remembered is forgotten once a second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let opened = client.open(&gateway, &link, &claims, Attempt::first()).await;
    assert_eq!(opened.unwrap_err(), Ended::EndedByAdmin.code(), "it is told how its stream ended");
    assert_untouched(&target).await;
}

#[tokio::test]
async fn t06_no_stream_is_opened_that_could_not_be_remembered_in_its_turn() {
    let (target, address, allow) = target().await;
    let limits = "slots = 1\nsessions_max = 1";
    let (gateway, running) = Gateway::start(Scene { allow: &allow, limits, ..Scene::default() }).await;
    let link = gateway.accept().await.link;
    let open = async || {
        let client = Client::new();
        let claims = client.claims(&gateway, address);
        let lane = client.open(&gateway, &link, &claims, Attempt::first()).await?;
        drop(target.accept().await.unwrap());
        link.kill(claims.session, Ended::Revoked.code());
        running.until(|status| status.sessions_live == 0).await;
        drop(lane);
        Ok(())
    };
    for _ in 0..4 {
        assert_eq!(open().await, Ok(()));
    }
    assert_eq!(open().await, Err(Refusal::Limit.code()), "the grants of all four could open them again");
    assert_untouched(&target).await;
}
