//! Whoever is in: asked about while they are in use, and not put out because the provider is away.

use crate::{
    arrived, at_provider, come,
    gate::{Browser, OWNER},
    path, world,
};
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn o09_c09_only_who_is_in_use_is_asked_about_and_once_however_many_ask() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    postern_web::look_after_sign_ins(&gate.state).await;
    // Nobody uses it: nobody is asked, although the provider has ended the person.
    idp.order("/people", json!({ "alice": null })).await;
    gate.later(Duration::from_secs(1_200));
    postern_web::look_after_sign_ins(&gate.state).await;
    let is_live = |sign_in: Option<postern_store::SignIn>| sign_in.unwrap().is_live(gate.now());
    assert!(is_live(gate.store.sign_in(alice.sign_in).await.unwrap()));
    // In use: a hundred tabs, gateways or turns at once are one question, and its answer counts (O9).
    here.navigate("/device").await;
    let counted = idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    let turns: Vec<_> = (0..100)
        .map(|_| {
            let state = gate.state.clone();
            tokio::spawn(async move { postern_web::look_after_sign_ins(&state).await })
        })
        .collect();
    for turn in turns {
        turn.await.unwrap();
    }
    let after = idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    assert_eq!(after - counted, 1, "the provider was asked more than once");
    assert!(!is_live(gate.store.sign_in(alice.sign_in).await.unwrap()));
}

#[tokio::test]
async fn f22_while_the_only_provider_is_away_the_choice_is_shown_and_an_account_here_gets_in() {
    let (gate, idp, _) = world().await;
    drop(idp);
    let page = Browser::new(&gate).navigate("/oidc/test/start?next=%2Fdevice").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("provider_unavailable") && page.body.contains("Sessions that are open go on"));
    let mut here = Browser::new(&gate);
    let from = path(&gate, "/", None);
    let choice = here.navigate(&from).await.location().to_owned();
    assert!(choice.starts_with("/sign-in?next="), "{choice}");
    let answer = here.sign_in(OWNER.0, OWNER.1, &from).await;
    assert_eq!(answer.location(), from);
    arrived(&gate, &here.navigate(&from).await);
}

#[tokio::test]
async fn f22_who_is_in_stays_in_while_the_provider_fails_and_whoever_comes_back_is_told() {
    let (gate, idp, _) = world().await;
    let (mut here, mut there) = (Browser::new(&gate), idp.browser());
    let alice = arrived(&gate, &come(&mut here, &mut there, &path(&gate, "/", None), "alice").await);
    let mut coming = Browser::new(&gate);
    let answer = coming.navigate(&path(&gate, "/", None)).await;
    let back = at_provider(&mut idp.browser(), &answer, "bob").await;
    let asked = async || idp.order("/count", json!({ "path": "/token" })).await["count"].as_u64().unwrap();
    let before = asked().await;
    idp.order("/faults", json!({ "status": 500 })).await;
    gate.later(Duration::from_secs(301));
    here.navigate("/device").await;
    postern_web::look_after_sign_ins(&gate.state).await;
    assert_eq!(asked().await, before + 1, "the provider was asked, and failed");
    let still = arrived(&gate, &here.navigate(&path(&gate, "/", None)).await);
    assert_eq!(still.sign_in, alice.sign_in);
    let page = coming.navigate(&back).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{page:?}");
    assert!(page.body.contains("provider_unavailable") && !coming.jar.contains_key("__Host-postern"));
}
