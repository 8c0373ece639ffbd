//! What a ticket is worth: with its key, to whom it was given, in its time, and as long as somebody holds the stream.

use crate::support::{
    Stage, now,
    person::keys_of,
    streams::{StreamClient, echoed},
};
use postern_ids::{Ended, InstanceId, Refusal, StreamId, Timestamp};
use postern_token::{Expect, TicketClaims, mint_ticket, verify_ticket};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_replayed_attempt_takes_nothing_from_whom_it_was_recorded() {
    let mut stage = Stage::new().await;
    stage.open_and_lose().await;
    let (link, _incoming) = stage.dial().await;
    let (early, used) = (stage.client.attach(true), stage.client.ticket.clone());
    let mut carried = stage.client.resume_with(&link, early.clone()).await.unwrap();
    let fresh = stage.client.ticket.clone();
    for ticket in [used, fresh] {
        stage.client.ticket = ticket;
        let replayed = stage.client.resume_with(&link, early.clone()).await;
        assert_eq!(replayed.map(|_| ()), Err(Refusal::Superseded.code()));
    }
    echoed(&mut carried.lane, b"undisturbed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_ticket_without_its_key_or_with_a_changed_attempt_is_worth_nothing() {
    let mut stage = Stage::new().await;
    stage.open_and_lose().await;
    let (link, _incoming) = stage.dial().await;
    let ticket = stage.client.ticket.clone();
    // Another key for the same stream.
    let instance = stage.client.instance;
    let stream = stage.client.stream;
    let mut thief = StreamClient { ticket, instance, stream, generation: 5, ..StreamClient::new() };
    assert_eq!(thief.resume(&link).await.map(|_| ()), Err(Refusal::ProofFailed.code()));
    // The right key, for another stream or another process.
    stage.client.stream = StreamId::from_bytes([7; 16]);
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ProofFailed.code()));
    (stage.client.stream, stage.client.instance) = (stream, [7; 16]);
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ProofFailed.code()));
    stage.client.instance = instance;
    // T16: each field is signed, the versions first.
    let good = stage.client.attach(true);
    for at in [4, 6, 8, 20, 30, 60, 65, 72, 90, 148] {
        let mut changed = good.to_vec();
        changed[at] ^= 1;
        let refused = stage.client.resume_with(&link, changed.into()).await.map(|_| ()).unwrap_err();
        assert!(
            [Refusal::ProofFailed.code(), Refusal::BadRequest.code()].contains(&refused),
            "{at}: {refused}"
        );
    }
    assert_eq!(stage.holder.arrived().len(), 1, "the connector was not asked");
    stage.client.resume_with(&link, good).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t16_a_stream_without_a_proof_is_not_even_begun() {
    let mut stage = Stage::new().await;
    let (link, _incoming) = stage.dial().await;
    let mut unsigned = stage.client.attach(false).to_vec();
    unsigned[148] ^= 1;
    let refused = stage.client.open_with(&link, "db-1", unsigned.into()).await.map(|_| ());
    assert_eq!(refused, Err(Refusal::ProofFailed.code()));
    for early in [stage.client.attach(true), stage.client.attach(false).slice(..100), Vec::new().into()] {
        let refused = stage.client.open_with(&link, "db-1", early).await.map(|_| ());
        assert_eq!(refused, Err(Refusal::BadRequest.code()));
    }
    assert!(stage.holder.arrived().is_empty() && stage.scene.node.live().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_a_ticket_of_somebody_else_is_as_good_as_none() {
    let mut stage = Stage::new().await;
    let (_link, mut carried) = stage.open().await;
    let other = stage.scene.account("other").await;
    stage.scene.grant(&other, stage.resource).await;
    let (link, _incoming) = stage.scene.dial_client(&other.token).await.unwrap();
    // With the very key of the stream: only the principal is wrong.
    let stolen = stage.client.ticket.clone().unwrap();
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    let half = stolen.len() / 2;
    for guess in ["a.b.c", "", &stolen[..half], &stolen.replace('A', "B")] {
        stage.client.ticket = Some(guess.to_owned());
        assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    }
    echoed(&mut carried.lane, b"undisturbed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_somebody_elses_stream_id_leads_to_a_session_of_ones_own() {
    let mut stage = Stage::new().await;
    let (_link, mut victims) = stage.open().await;
    let other = stage.scene.account("other").await;
    stage.scene.grant(&other, stage.resource).await;
    let (link, _incoming) = stage.scene.dial_client(&other.token).await.unwrap();
    let mut attacker = StreamClient { stream: stage.client.stream, generation: 50, ..StreamClient::new() };
    let own = attacker.open(&link, "db-1").await.unwrap();
    assert_ne!(own.session, victims.session);
    echoed(&mut victims.lane, b"undisturbed").await;
    let (link, _incoming) = stage.dial().await;
    let again = stage.client.resume(&link).await.unwrap();
    assert_eq!(again.session, victims.session);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_ticket_that_names_a_process_that_is_gone_is_refused_at_once() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.link.close(1001, "restarting");
    let id = stage.connector.id;
    stage.scene.until(|| !stage.scene.node.connectors().registry().is_online(id)).await;
    stage.connector.instance = InstanceId::mint(now(), rand::random());
    stage.connector_back(Vec::new()).await;
    stage.ended(session, Ended::ConnectorLost).await;
    let (link, _incoming) = stage.dial().await;
    let asked = Instant::now();
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    assert!(asked.elapsed() < Duration::from_secs(3), "nobody is waited for");
    assert!(stage.holder.arrived().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_ticket_that_has_expired_is_as_good_as_none() {
    let mut stage = Stage::new().await;
    stage.open_and_lose().await;
    let issuer = stage.scene.node.public_url.as_str().trim_end_matches('/').to_owned();
    let keys = keys_of(stage.scene.store(), &issuer).await.keys();
    let good = stage.client.ticket.clone().unwrap();
    let expect = Expect { issuer: &issuer, audience: &issuer };
    let claims = verify_ticket(&good, keys.grant_keys(), expect, now()).unwrap().into_inner();
    let long_ago = now().as_micros() - 3_600_000_000;
    let (iat, exp) = (Timestamp::from_micros(long_ago), Timestamp::from_micros(long_ago + 60_000_000));
    let expired = TicketClaims { iat, nbf: iat, exp, ..claims };
    stage.client.ticket = Some(mint_ticket(&expired, keys.grant_signer(now()).unwrap()).unwrap());
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    // A grant is signed with the same key, and is no ticket.
    stage.client.ticket = Some(stage.holder.arrived().remove(0).grant);
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    stage.client.ticket = Some(good);
    stage.client.resume(&link).await.unwrap();
}
