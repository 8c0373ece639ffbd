//! A running connector against a gateway: which lanes it serves, what it refuses, and how it comes back.

use crate::{
    gateway::{Gateway, PATIENCE, Scene, open_with},
    target::{assert_untouched, target},
};
use bytes::Bytes;
use postern_connector::status::{LinkState, Status, machine_now};
use postern_ids::{ConnectorId, Ended, Refusal};
use postern_token::{Alg, KEYS_AUDIENCE, KeysClaims, SigningKey, TimedKey, announce};
use postern_tunnel_io::{OpenError, Opened};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn refusal(opened: Result<Opened, OpenError>) -> (Refusal, String) {
    match opened {
        Err(OpenError::Refused { code, detail }) => {
            (Refusal::from_code(code).unwrap(), String::from_utf8(detail.to_vec()).unwrap())
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_granted_target_is_reached_and_half_close_is_kept() {
    let (target, address, allow) = target().await;
    let (gateway, running) = Gateway::with_connector(&allow).await;
    let dialed = gateway.accept().await;
    let server = tokio::spawn(async move {
        let (mut tcp, _) = target.accept().await.unwrap();
        let mut request = Vec::new();
        tcp.read_to_end(&mut request).await.unwrap();
        tcp.write_all(&request.to_ascii_uppercase()).await.unwrap();
    });
    let Opened { mut lane, .. } = gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    lane.write_all(b"after the end of the request ").await.unwrap();
    lane.write_all(b"comes the answer").await.unwrap();
    lane.shutdown().await.unwrap();
    let mut answer = String::new();
    lane.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "AFTER THE END OF THE REQUEST COMES THE ANSWER");
    server.await.unwrap();
    let status = running.until(|status| status.sessions_total == 1 && status.sessions_live == 0).await;
    assert!(status.is_up());
}

#[tokio::test]
async fn t13_a_target_outside_the_allow_list_is_refused_and_the_line_is_named() {
    let (target, address, _) = target().await;
    let (gateway, running) = Gateway::with_connector(&["0.0.0.0/0:*".to_owned()]).await;
    let dialed = gateway.accept().await;
    let (refused, detail) = refusal(gateway.open(&dialed.link, &gateway.claims(address)).await);
    assert_eq!(refused, Refusal::TargetNotAllowed);
    assert!(detail.contains("loopback") && detail.ends_with(&address.to_string()), "{detail}");
    assert_untouched(&target).await;
    let status = running.until(|status| status.refused_total == 1).await;
    assert!(status.last_refusal.unwrap().reason.contains("loopback"), "the refusal is told locally as well");
}

#[tokio::test]
async fn t11_only_a_current_grant_for_this_connector_by_a_pinned_key_is_served() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let dialed = gateway.accept().await;
    let good = gateway.claims(address);
    let stranger = SigningKey::generate(Alg::EdDsa).unwrap();
    let (refused, _) = refusal(open_with(&dialed.link, &good, &stranger).await);
    assert_eq!(refused, Refusal::GrantRefused, "a key that is not pinned");
    let long_ago = gateway.now.minus(Duration::from_secs(600));
    let mut other_connector = good.clone();
    other_connector.aud = ConnectorId::mint(gateway.now, [9; 10]);
    let mut other_issuer = good.clone();
    other_issuer.iss = "https://evil.example".to_owned();
    let mut expired = good.clone();
    (expired.iat, expired.nbf, expired.exp) = (long_ago, long_ago, long_ago.plus(Duration::from_secs(60)));
    for claims in [other_connector, other_issuer, expired] {
        let (refused, _) = refusal(gateway.open(&dialed.link, &claims).await);
        assert_eq!(refused, Refusal::GrantRefused, "{claims:?}");
    }
    for garbage in [&b""[..], b"not a token", &[0xff; 64]] {
        let metadata = Bytes::copy_from_slice(garbage);
        let opened = dialed.link.open(postern_tunnel_io::Open { metadata, ..Default::default() }).await;
        assert_eq!(refusal(opened).0, Refusal::GrantRefused);
    }
    assert_untouched(&target).await;
}

#[tokio::test]
async fn f26_a_machine_clock_that_is_years_off_neither_stops_the_link_nor_stays_hidden() {
    let (target, address, allow) = target().await;
    let in_three_years = machine_now().plus(Duration::from_secs(3 * 365 * 86_400));
    let (gateway, running) =
        Gateway::start(Scene { allow: &allow, now: in_three_years, ..Scene::default() }).await;
    let dialed = gateway.accept().await;
    gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    target.accept().await.unwrap();
    let status = running.until(|status| status.clock_ahead_ms.is_some()).await;
    let warning = status.clock_warning().unwrap();
    assert!(warning.starts_with("this machine's clock is 109"), "{warning}");
    assert!(warning.ends_with("behind the gateway's"), "{warning}");
}

#[tokio::test]
async fn a_killed_session_closes_its_target_and_no_other() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let dialed = gateway.accept().await;
    let (doomed, spared) = (gateway.claims(address), gateway.claims(address));
    let _first = gateway.open(&dialed.link, &doomed).await.unwrap();
    let (mut doomed_tcp, _) = target.accept().await.unwrap();
    let mut second = gateway.open(&dialed.link, &spared).await.unwrap();
    let (mut spared_tcp, _) = target.accept().await.unwrap();
    dialed.link.kill(doomed.session, Ended::Revoked.code());
    let closed = tokio::time::timeout(PATIENCE, doomed_tcp.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
    second.lane.write_all(b"x").await.unwrap();
    assert_eq!(spared_tcp.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn f19_a_target_that_is_not_there_is_an_answer_and_not_a_hang() {
    let (listener, address, allow) = target().await;
    drop(listener);
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let dialed = gateway.accept().await;
    let (refused, detail) = refusal(gateway.open(&dialed.link, &gateway.claims(address)).await);
    assert_eq!(refused, Refusal::TargetUnreachable);
    assert!(detail.contains(&address.to_string()), "{detail}");
}

#[tokio::test]
async fn f04_a_lost_link_comes_back_within_a_second_as_the_same_instance() {
    let (_target, _, allow) = target().await;
    let (gateway, running) = Gateway::with_connector(&allow).await;
    let first = gateway.accept().await;
    running.until(|status| status.is_up()).await;
    first.link.close(1012, "restarting");
    let lost = std::time::Instant::now();
    let second = gateway.accept().await;
    assert!(lost.elapsed() < Duration::from_secs(1), "{:?}", lost.elapsed());
    assert_eq!((first.instance, first.slot), (second.instance, second.slot));
    let failed = |status: &Status| status.links.first().is_some_and(|link| link.last_failure.is_some());
    let status = running.until(|status| status.is_up() && failed(status)).await;
    let failure = status.links.first().unwrap().last_failure.clone().unwrap();
    assert!(failure.reason.contains("restarting"), "{}", failure.reason);
}

#[tokio::test]
async fn a_gateway_that_leaves_keeps_its_sessions_while_a_new_link_is_dialed() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let first = gateway.accept().await;
    let mut session = gateway.open(&first.link, &gateway.claims(address)).await.unwrap();
    let (mut tcp, _) = target.accept().await.unwrap();
    first.link.go_away(1012, "the gateway is restarting");
    let second = gateway.accept().await;
    session.lane.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    tcp.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
    gateway.open(&second.link, &gateway.claims(address)).await.unwrap();
}

#[tokio::test]
async fn final_refusals_stop_the_connector_with_the_reason() {
    for code in ["connector_revoked", "connector_unknown"] {
        let (gateway, running) = Gateway::with_connector(&[]).await;
        let problem = format!(
            r#"{{"type":"about:blank","title":"t","status":403,"code":"{code}","detail":"told by the gateway","next":""}}"#
        );
        gateway.refuse("403 Forbidden", &problem).await;
        let state_dir = running.state_dir();
        let ended = running.ended().await.unwrap_err();
        assert!(ended.reason.contains("told by the gateway"), "{ended}");
        drop(state_dir);
    }
    for code in [4403, 4410, 4411, 4412] {
        let (gateway, running) = Gateway::with_connector(&[]).await;
        let dialed = gateway.accept().await;
        running.until(|status| status.is_up()).await;
        dialed.link.close(code, "over");
        assert!(running.ended().await.unwrap_err().reason.contains("over"), "{code}");
    }
}

#[tokio::test]
async fn a_busy_gateway_is_asked_again() {
    let (gateway, running) = Gateway::with_connector(&[]).await;
    gateway.refuse("503 Service Unavailable", "{}").await;
    gateway.accept().await;
    let status = running.until(|status| status.is_up()).await;
    assert!(status.links.first().unwrap().last_failure.is_some());
}

#[tokio::test]
async fn an_order_to_stop_lets_sessions_run_out() {
    let (target, address, allow) = target().await;
    let (gateway, running) = Gateway::with_connector(&allow).await;
    let mut dialed = gateway.accept().await;
    let mut session = gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    let (mut tcp, _) = target.accept().await.unwrap();
    let longer = gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    running.orders.stop.cancel();
    let list = dialed.incoming.next().await;
    assert!(matches!(list, Some(postern_tunnel_io::Event::Inventory { last: true, .. })), "{list:?}");
    let event = tokio::time::timeout(PATIENCE, dialed.incoming.next()).await.unwrap();
    assert!(matches!(event, Some(postern_tunnel_io::Event::GoAway { code: 1001, .. })), "{event:?}");
    session.lane.write_all(b"last words").await.unwrap();
    session.lane.shutdown().await.unwrap();
    let mut heard = String::new();
    tcp.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "last words");
    drop(tcp);
    assert_eq!(session.lane.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(!dialed.link.is_closed() && !running.task.is_finished(), "there is one session more");
    drop(longer);
    let path = running.state_dir().join("status.json");
    let (dir, task) = (running.dir, running.task);
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    let ended = tokio::time::timeout(PATIENCE, dialed.link.closed()).await.unwrap();
    assert_eq!((ended.code, ended.reason.as_str()), (1001, "the connector stopped"), "{ended:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    let status: Status = serde_json::from_str(&text).unwrap();
    assert!(status.links.iter().all(|link| link.state == LinkState::Stopped));
    drop(dir);
}

#[tokio::test]
async fn an_order_to_stop_at_once_ends_sessions() {
    let (target, address, allow) = target().await;
    let (gateway, running) = Gateway::with_connector(&allow).await;
    let dialed = gateway.accept().await;
    let mut session = gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    let (mut tcp, _) = target.accept().await.unwrap();
    running.orders.stop.cancel();
    running.orders.stop_now.cancel();
    running.ended().await.unwrap();
    assert!(matches!(tcp.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    let told = session.lane.read(&mut [0; 1]).await.unwrap_err().into_inner().unwrap();
    let told = told.downcast_ref::<postern_tunnel_io::LaneReset>().unwrap();
    assert_eq!(told.code, Ended::ConnectorLost.code(), "the session is told before the link goes");
    assert_eq!(dialed.link.closed().await.code, 1001, "the link ends in order as well");
}

/// This key, announced by `signer` as the one that signs now.
fn announced(gateway: &Gateway, key: &SigningKey, signer: &SigningKey) -> Bytes {
    let now = gateway.now;
    let timed = TimedKey {
        key: key.verifying().clone(),
        not_before: Some(now),
        expires: Some(now.plus(Duration::from_secs(86_400))),
    };
    let claims = KeysClaims {
        iss: crate::gateway::ISSUER.to_owned(),
        aud: KEYS_AUDIENCE.to_owned(),
        keys: vec![timed],
        iat: now,
        nbf: now,
        exp: now.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    };
    announce(&claims, [signer]).unwrap().into()
}

#[tokio::test]
async fn j13_a_rotated_grant_key_is_believed_after_a_pinned_one_announced_it_and_is_kept() {
    let (target, address, allow) = target().await;
    let (gateway, running) = Gateway::with_connector(&allow).await;
    let (next, forged) =
        (SigningKey::generate(Alg::EdDsa).unwrap(), SigningKey::generate(Alg::EdDsa).unwrap());
    let dialed = gateway.accept().await;
    let refused = refusal(open_with(&dialed.link, &gateway.claims(address), &next).await);
    assert_eq!(refused.0, Refusal::GrantRefused, "it was not announced");

    dialed.link.send_keys(announced(&gateway, &forged, &forged));
    let told =
        |status: &Status| status.last_refusal.as_ref().is_some_and(|last| last.reason.contains("keys"));
    running.until(told).await;
    let refused = refusal(open_with(&dialed.link, &gateway.claims(address), &forged).await);
    assert_eq!(refused.0, Refusal::GrantRefused, "it vouches only for itself");
    assert_untouched(&target).await;

    dialed.link.send_keys(announced(&gateway, &next, &gateway.grant_key));
    open_with(&dialed.link, &gateway.claims(address), &next).await.unwrap();
    target.accept().await.unwrap();
    gateway.open(&dialed.link, &gateway.claims(address)).await.unwrap();
    target.accept().await.unwrap();

    let path = running.state_dir().join("identity.json");
    let kept = async {
        loop {
            match std::fs::read_to_string(&path) {
                Ok(kept) if kept.contains(next.kid()) => return kept,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let kept = tokio::time::timeout(PATIENCE, kept).await.expect("the new key was kept");
    assert!(kept.contains(gateway.grant_key.kid()) && !kept.contains(forged.kid()));
}
