//! Dialing in as a connector: who may, who may not, and what a link is worth.

use crate::support::{Bearer, Enrolled, PATIENCE, Prover, Scene, Served, open, refused};
use http::{HeaderValue, StatusCode};
use postern_ids::{ConnectorId, Refusal};
use postern_token::{Alg, SigningKey};
use postern_tunnel_io::{Challenge, Credentials, DialError, Refused};

/// Proves itself with whatever the closure makes of the right answer.
struct Forger<F>(F);

impl<F: FnMut(&Challenge) -> String + Send> Credentials for Forger<F> {
    fn authorization(&mut self, challenge: Option<&Challenge>) -> Option<HeaderValue> {
        Some(HeaderValue::try_from((self.0)(challenge?)).unwrap())
    }
}

fn refusal(dialed: Result<(postern_tunnel_io::Link, postern_tunnel_io::Incoming), DialError>) -> Refused {
    match dialed {
        Err(DialError::Refused { refused }) => refused,
        other => panic!("{other:?}"),
    }
}

fn prover(scene: &Scene, connector: &Enrolled) -> Prover {
    let issuer = scene.node.public_url.as_str().trim_end_matches('/').to_owned();
    Prover { issuer, connector: connector.clone(), slot: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn t09_a_connector_cannot_claim_to_be_another() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let (victim, attacker) = (scene.connector(site, "victim").await, scene.connector(site, "attacker").await);
    let echo = scene.echo(&victim).await;
    let mixed = Enrolled { id: victim.id, ..attacker.clone() };
    let refused = refusal(scene.dial_connector(&mixed, 0).await);
    assert_eq!((refused.status, refused.code.as_deref()), (StatusCode::FORBIDDEN, Some("connector_unknown")));
    // An id that nobody has is answered the same: which connectors there are is not told.
    let nobody = Enrolled { id: ConnectorId::mint(crate::support::now(), [9; 10]), ..attacker.clone() };
    let unknown = refusal(scene.dial_connector(&nobody, 0).await);
    assert_eq!(
        (unknown.status, unknown.code, unknown.detail),
        (refused.status, refused.code, refused.detail)
    );
    assert!(
        scene.node.connectors().registry().is_online(victim.id),
        "the registration that stands is untouched"
    );
    assert!(!echo.link.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn t09_a_connector_serves_only_resources_of_its_own_site() {
    let scene = Scene::start().await;
    let (office, factory) = (scene.site("office").await, scene.site("factory").await);
    let resource = scene.resource(office, "db-1").await;
    let account = scene.account("robot").await;
    scene.grant(&account, resource).await;
    let stranger = scene.connector(factory, "stranger").await;
    let echo = scene.echo(&stranger).await;
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    assert_eq!(refused(&link, "db-1").await, Refusal::NoConnector.code());
    assert!(echo.grants.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_only_a_connectors_proof_opens_the_connectors_path_and_only_a_clients_token_the_clients() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let connector = scene.connector(site, "edge-1").await;
    let account = scene.account("robot").await;
    let mut bearer = Bearer(account.token.clone());
    assert_eq!(refusal(scene.dial("/tunnel/connector", &mut bearer).await).status, StatusCode::UNAUTHORIZED);
    let mut proof = prover(&scene, &connector);
    assert_eq!(refusal(scene.dial("/tunnel/client", &mut proof).await).status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_a_connector_that_opens_lanes_gets_nothing() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    scene.resource(site, "db-1").await;
    let connector = scene.connector(site, "edge-1").await;
    let echo = scene.echo(&connector).await;
    assert_eq!(refused(&echo.link, "db-1").await, Refusal::Denied.code());
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_an_answer_to_the_challenge_is_good_once_and_for_its_own_gateway() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let connector = scene.connector(site, "edge-1").await;
    let proof = prover(&scene, &connector);
    let mut stolen = None;
    let mut record = Forger(|challenge: &Challenge| {
        stolen.get_or_insert_with(|| format!("Postern-Dial {}", proof.token(challenge))).clone()
    });
    let first = scene.dial("/tunnel/connector", &mut record).await;
    assert!(first.is_ok());
    assert_eq!(refusal(scene.dial("/tunnel/connector", &mut record).await).status, StatusCode::UNAUTHORIZED);
    let elsewhere = Prover { issuer: "https://other.example".to_owned(), ..prover(&scene, &connector) };
    let mut elsewhere =
        Forger(|challenge: &Challenge| format!("Postern-Dial {}", elsewhere.token(challenge)));
    assert_eq!(
        refusal(scene.dial("/tunnel/connector", &mut elsewhere).await).status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_a_key_that_was_never_enrolled_is_told_so_for_good() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let connector = scene.connector(site, "edge-1").await;
    let other = Enrolled { key: SigningKey::generate(Alg::EdDsa).unwrap(), ..connector };
    let error = scene.dial_connector(&other, 0).await.unwrap_err();
    assert!(error.is_final(), "{error}");
    assert_eq!(refusal(Err(error)).code.as_deref(), Some("connector_unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_a_revoked_connector_loses_its_links_and_sessions_and_never_comes_back() {
    let Served { scene, connector, echo, link, .. } = &Served::start().await;
    let _session = open(link, "db-1").await.unwrap();
    let mut change = scene.change().await;
    change.revoke_connector(connector.id).await.unwrap();
    scene.commit(change).await;
    let closed = tokio::time::timeout(PATIENCE, echo.link.closed()).await.unwrap();
    assert_eq!(closed.code, 4412);
    scene.until(|| scene.node.live().is_empty()).await;
    let error = scene.dial_connector(connector, 0).await.unwrap_err();
    assert!(error.is_final());
    assert_eq!(refusal(Err(error)).code.as_deref(), Some("connector_revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_new_sessions_go_to_the_second_connector_at_once() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let resource = scene.resource(site, "db-1").await;
    let account = scene.account("robot").await;
    scene.grant(&account, resource).await;
    let (one, two) = (scene.connector(site, "edge-1").await, scene.connector(site, "edge-2").await);
    let (first, second) = (scene.echo(&one).await, scene.echo(&two).await);
    let (link, _incoming) = scene.dial_client(&account.token).await.unwrap();
    first.link.close(1000, "gone");
    for _ in 0..5 {
        open(&link, "db-1").await.unwrap();
    }
    assert_eq!(second.grants.lock().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_goes_away_gets_no_new_sessions() {
    let Served { scene, echo, link, .. } = &Served::start().await;
    let kept = open(link, "db-1").await.unwrap();
    echo.link.go_away(1012, "restarting");
    while open(link, "db-1").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.node.live().len(), 1, "the open one goes on");
    drop(kept);
}
