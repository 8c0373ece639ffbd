//! Who may attach to a stream: the fence, the proof, the session, the instance (T6).

use crate::{
    client::{Attempt, Client, data, open_with, reset, send, welcome},
    gateway::{Gateway, PATIENCE},
    running::Running,
    target::{assert_untouched, heard, target},
};
use postern_ids::{Refusal, SessionId};
use postern_token::GrantClaims;
use postern_tunnel_io::stream::SUPERSEDED;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

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
