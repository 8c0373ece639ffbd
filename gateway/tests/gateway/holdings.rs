//! A hostile connector's word about what it holds: bounded, and of no effect on anybody else.

use crate::support::{Stage, streams::Holder};
use bytes::Bytes;
use postern_ids::{Ended, Refusal, SessionId, StreamId};
use postern_token::{Alg, SigningKey, mint_grant};
use postern_tunnel_io::inventory::{Entry, State};
use std::time::Duration;

/// As if for this session, at its newest attempt, with another grant.
fn with_grant(entry: &Entry, grant: impl Into<Bytes>) -> Entry {
    Entry { grant: grant.into(), ..entry.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_what_no_grant_of_ours_proves_is_neither_believed_nor_left_alone() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let genuine = stage.holder.entry(State::Detached);
    let claims = stage.holder.arrived().remove(0).claims;
    let forged = mint_grant(&claims, &SigningKey::generate(Alg::EdDsa).unwrap()).unwrap();
    let mut cut_off = genuine.grant.to_vec();
    cut_off.pop();
    let other = SessionId::from_bytes([9; 16]);
    let mut stage = stage.restart().await;
    stage
        .connector_back(vec![
            with_grant(&genuine, forged),
            with_grant(&genuine, cut_off),
            with_grant(&genuine, "a.b.c"),
            with_grant(&genuine, vec![0xff; 100]),
            Entry { session: other, ..genuine.clone() },
            Entry { stream: StreamId::from_bytes([9; 16]), ..genuine.clone() },
        ])
        .await;
    let code = Ended::ResumeFailed.code();
    let told = [session, session, session, session, other, session].map(|session| (session, code));
    stage.scene.until(|| stage.holder.kills() == told).await;
    assert!(stage.scene.node.live().is_empty());
    assert_eq!(stage.scene.node.held().waiting(), 0);
    // The genuine one is believed all the same.
    stage.holder.tell(vec![genuine]);
    stage.scene.until(|| stage.scene.node.live().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_a_connector_has_no_word_about_sessions_of_another() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let stranger = stage.scene.connector(stage.site, "edge-2").await;
    let attacker = Holder::start(&stage.scene, &stranger, 0, Vec::new()).await;
    let entry = |state, generation| Entry { generation, ..stage.holder.entry(state) };
    // The grant is genuine, and was stolen: it is for the other connector.
    attacker.tell(vec![
        entry(State::Over(Ended::TargetFailed.code()), 9),
        entry(State::Attached, 9),
        entry(State::Detached, 9),
    ]);
    stage.scene.until(|| attacker.kills() == [(session, Ended::ResumeFailed.code())]).await;
    assert!(stage.holder.kills().is_empty());
    let (link, _incoming) = stage.dial().await;
    let again = stage.client.resume(&link).await.unwrap();
    assert_eq!(again.session, session, "neither ended, nor moved, nor was its generation raised");
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_late_word_that_a_session_waits_makes_none_wait_that_goes_on_elsewhere() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let late = stage.holder.entry(State::Detached);
    let elsewhere = Entry { generation: 2, ..stage.holder.entry(State::Attached) };
    let mut stage = stage.restart().await;
    stage.connector_back(Vec::new()).await;
    // Over two links, so that what was said first comes last.
    stage.holder.tell(vec![elsewhere]);
    stage.holder.tell(vec![late.clone()]);
    let marker = Entry { session: SessionId::from_bytes([9; 16]), ..late.clone() };
    stage.holder.tell(vec![marker.clone()]);
    stage.scene.until(|| stage.holder.kills() == [(marker.session, Ended::ResumeFailed.code())]).await;
    assert_eq!(stage.scene.node.held().waiting(), 0);
    // Waiting after that very attempt is news.
    stage.holder.tell(vec![Entry { generation: 2, ..late }]);
    stage.waits().await;
    assert!(stage.scene.node.held().knows(session));
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_a_session_at_a_resource_that_its_connector_may_not_serve_is_ended_on_sight() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    let held = stage.holder.entry(State::Detached);
    let mut stage = stage.restart().await;
    stage.move_resource().await;
    stage.connector_back(vec![held]).await;
    stage.scene.until(|| stage.holder.kills() == [(session, Ended::Revoked.code())]).await;
    stage.ended(session, Ended::Revoked).await;
    let (link, _incoming) = stage.dial().await;
    assert!(stage.client.resume(&link).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn r05_a_flood_of_entries_keeps_nobody_waiting_but_its_own_link() {
    let mut stage = Stage::new().await;
    let (_link, _carried) = stage.open().await;
    let flooder = stage.scene.connector(stage.site, "edge-2").await;
    let attacker = Holder::start_silently(&stage.scene, &flooder, 0).await;
    let junk = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Entry {
            stream: StreamId::from_bytes(id),
            session: SessionId::from_bytes(id),
            generation: 1,
            state: State::Detached,
            grant: "a.b.c".into(),
        }
    };
    // Fewer at a time than its own link would be cut off for.
    let pour = tokio::spawn({
        let attacker = attacker.clone();
        async move {
            for part in 0..100 {
                let entries = (part * 1_000..(part + 1) * 1_000).map(junk);
                for part in postern_tunnel_io::inventory::parts(entries).unwrap() {
                    attacker.link.inventory_room().await;
                    attacker.link.send_inventory(part, false);
                }
            }
        }
    });
    stage.scene.until(|| attacker.kills().len() > 1_000).await;
    let (link, _incoming) = stage.dial().await;
    let asked = std::time::Instant::now();
    stage.client.resume(&link).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(!stage.scene.node.connectors().registry().is_usable(flooder.id), "its list is not complete");
    assert_eq!(stage.scene.node.held().waiting(), 0);
    pour.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_inventory_ends_the_link() {
    let stage = Stage::new().await;
    stage.holder.link.send_inventory(Bytes::from_static(b"not an entry"), true);
    let closed = tokio::time::timeout(crate::support::PATIENCE, stage.holder.link.closed()).await.unwrap();
    assert_eq!(closed.code, 1002);
}

#[tokio::test(flavor = "multi_thread")]
async fn t06_a_resume_is_refused_by_a_connector_that_says_its_stream_is_unknown() {
    let mut stage = Stage::new().await;
    let session = stage.open_and_lose().await;
    stage.holder.answer(crate::support::streams::Answer::Refuse(Refusal::ResumeUnknown.code()));
    let (link, _incoming) = stage.dial().await;
    assert_eq!(stage.client.resume(&link).await.map(|_| ()), Err(Refusal::ResumeUnknown.code()));
    stage.ended(session, Ended::ResumeFailed).await;
}
