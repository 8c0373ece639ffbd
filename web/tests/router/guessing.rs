//! Guessing passwords: wherever, under whatever name, from wherever.

use crate::gate::{Answer, Browser, Gate};
use axum::http::{Request, StatusCode, header};
use postern_store::{Actor, Expect, User};
use serde_json::json;

const BOB: (&str, &str) = ("bob", "another long password");

/// Guesses that cost nothing; the next one has to wait.
const FREE: usize = 6;

async fn with_bob() -> Gate {
    let gate = Gate::open().await;
    let owner = gate.owner().await;
    let bob = json!({"kind": "user", "name": BOB.0, "password": {"value": BOB.1}});
    assert_eq!(gate.apply(&owner, json!([bob])).await.status, StatusCode::OK);
    gate
}

async fn again(browser: &mut Browser<'_>, password: &str) -> Answer {
    let csrf = browser.get("/sign-in/again").await.field("csrf");
    browser.post("/sign-in/again", &[("csrf", &csrf), ("password", password)]).await
}

/// What a page says, without what is the browser's own.
fn said(answer: &Answer, typed: &str) -> (StatusCode, bool, String) {
    let csrf = answer.field("csrf");
    let body = answer.body.replace(&csrf, "").replace(&format!("value=\"{typed}\""), "");
    (answer.status, answer.headers.contains_key(header::RETRY_AFTER), body)
}

#[tokio::test]
async fn a09_a_person_has_one_counter_over_every_form_that_takes_a_password() {
    let gate = with_bob().await;
    let mut signed_in = Browser::new(&gate);
    signed_in.sign_in(BOB.0, BOB.1, "").await;
    let mut stranger = Browser::new(&gate);
    for spelling in ["bob", "BOB", " Bob "] {
        assert_eq!(stranger.try_sign_in(spelling, "guess", "").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(again(&mut signed_in, "guess").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(again(&mut signed_in, BOB.1).await.status, StatusCode::TOO_MANY_REQUESTS);
    for spelling in ["bob", "BoB"] {
        let answer = stranger.try_sign_in(spelling, BOB.1, "").await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{spelling}");
    }
    // The device page knows nobody before they came in by one of the two.
    let led = stranger.get("/device?user_code=BCDF-GHJK").await;
    assert!(led.location().starts_with("/sign-in?next=%2Fdevice"), "{led:?}");
    gate.later(std::time::Duration::from_secs(61));
    stranger.sign_in(BOB.0, BOB.1, "").await;
}

#[tokio::test]
async fn a09_a_name_that_nobody_has_is_slowed_alike_and_answered_alike() {
    let gate = with_bob().await;
    let (mut known, mut unknown) = (Browser::new(&gate), Browser::new(&gate));
    for guess in 0..FREE + 3 {
        let (of_bob, of_nobody) =
            (known.try_sign_in("bob", "guess", "").await, unknown.try_sign_in("eve", "guess", "").await);
        assert_eq!(said(&of_bob, "bob"), said(&of_nobody, "eve"), "guess {guess}");
        let wanted = if guess < FREE { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(of_bob.status, wanted, "guess {guess}");
    }
}

#[tokio::test]
async fn a09_an_e_mail_address_is_no_second_name_to_guess_at() {
    let gate = with_bob().await;
    let bob = gate.store.local_account(&BOB.0.parse().unwrap()).await.unwrap().unwrap().user;
    let mail = "bob@example.com";
    let mut change = gate.store.change(Actor::system("test"), gate.now()).await.unwrap();
    change.put(&User { email: Some(mail.to_owned()), ..bob }, Expect::Any).await.unwrap();
    change.commit().await.unwrap();
    let mut browser = Browser::new(&gate);
    let unknown = browser.try_sign_in("eve@example.com", BOB.1, "").await;
    for spelling in [mail, "BOB@example.com", "bob@EXAMPLE.com", "bob+x@example.com"] {
        let answer = browser.try_sign_in(spelling, BOB.1, "").await;
        assert_eq!(
            said(&answer, spelling),
            said(&unknown, "eve@example.com"),
            "the right password, {spelling}"
        );
    }
    assert!(!browser.jar.contains_key("__Host-postern"));
}

#[tokio::test]
async fn a09_no_protocol_takes_a_password_but_the_forms() {
    let gate = with_bob().await;
    let fields =
        [("client_id", "postern-cli"), ("grant_type", "password"), ("username", BOB.0), ("password", BOB.1)];
    assert_eq!(gate.oauth("/oauth/token", &fields).await.json()["error"], "unsupported_grant_type");
    let basic = Request::get("/api/v1/me")
        .header(header::AUTHORIZATION, "Basic Ym9iOmFub3RoZXIgbG9uZyBwYXNzd29yZA==")
        .body(axum::body::Body::empty());
    let answer = gate.send(basic.unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
}
