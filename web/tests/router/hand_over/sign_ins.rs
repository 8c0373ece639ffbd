//! The sign-in behind a hand-over: proven again, ended, and forgotten when nobody uses it.

use super::{HOST, PRE, asked, code, hand_over, path, signed_in};
use crate::gate::{Answer, Browser, Gate, OWNER};
use axum::http::{StatusCode, header};
use postern_web::hand_over::{Arrived, Asked, StepUp};
use std::time::Duration;

#[tokio::test]
async fn c01_a_fresher_sign_in_is_another_one_and_the_old_one_ends() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let step_up = StepUp { max_age: Some(Duration::from_secs(900)), acr: None, mfa: false };
    let here = path(&gate, &Asked { step_up: Some(step_up), ..asked() });
    let before = redeemed(&gate, &browser.navigate(&here).await);
    let old = browser.jar["__Host-postern"].clone();
    gate.later(Duration::from_secs(1_000));
    let here = path(
        &gate,
        &Asked { step_up: Some(StepUp { max_age: Some(Duration::ZERO), ..StepUp::default() }), ..asked() },
    );
    let again = browser.navigate(&here).await.location().to_owned();
    assert!(again.starts_with("/sign-in/again?next=%2Fhand-over"), "{again}");
    let csrf = browser.navigate(&again).await.field("csrf");
    let wrong = [("csrf", &*csrf), ("next", &*here), ("password", "wrong")];
    assert_eq!(browser.post("/sign-in/again", &wrong).await.status, StatusCode::UNAUTHORIZED);
    // O8: the form cannot name somebody else; what it says of a name is not read.
    let right = [("csrf", &*csrf), ("next", &*here), ("username", "mallory"), ("password", OWNER.1)];
    let answer = browser.post("/sign-in/again", &right).await;
    assert_eq!(answer.location(), here);
    let after = redeemed(&gate, &browser.navigate(&here).await);
    assert_eq!(after.user, before.user);
    assert_ne!(after.sign_in, before.sign_in);
    assert_ne!(browser.jar["__Host-postern"], old);
    let ended = gate.store.sign_in(before.sign_in).await.unwrap().unwrap();
    assert_eq!(ended.end_reason.as_deref(), Some("replaced"));
    let mut replay = Browser::new(&gate);
    replay.jar.insert("__Host-postern".into(), old);
    assert!(replay.navigate("/device").await.location().starts_with("/sign-in?"));
}

#[tokio::test]
async fn a_second_factor_is_not_asked_of_an_account_that_has_none() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    for step_up in [
        StepUp { mfa: true, ..StepUp::default() },
        StepUp { acr: Some("urn:mfa".into()), ..StepUp::default() },
    ] {
        let here = path(&gate, &Asked { step_up: Some(step_up), ..asked() });
        assert_eq!(browser.navigate(&here).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn o10_signing_out_ends_the_sign_in_and_no_cookie_of_it_comes_back() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let arrived = redeemed(&gate, &browser.navigate(&path(&gate, &asked())).await);
    let copy = browser.jar.clone();
    // Another site's link to the last page signs nobody out.
    assert_eq!(browser.navigate("/signed-out").await.location(), "/sign-in");
    assert!(gate.store.sign_in(arrived.sign_in).await.unwrap().unwrap().is_live(gate.now()));
    let csrf = browser.navigate("/sign-in").await.field("csrf");
    let answer = browser.post("/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let cleared: Vec<&str> =
        answer.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect();
    for cookie in &cleared {
        // `__Host-` cookies go only when what takes them away has the same attributes.
        assert!(cookie.contains("=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    }
    assert!(cleared.len() == 2 && !browser.jar.contains_key("__Host-postern"));
    assert!(!gate.store.sign_in(arrived.sign_in).await.unwrap().unwrap().is_live(gate.now()));
    let mut replay = Browser::new(&gate);
    replay.jar = copy;
    assert!(replay.navigate("/device").await.location().starts_with("/sign-in?"));
    let answer = replay.navigate(&path(&gate, &asked())).await;
    assert!(answer.location().starts_with("/sign-in?"), "the back button signs nobody in");
    assert_eq!(replay.navigate("/signed-out").await.status, StatusCode::OK);
}

#[tokio::test]
async fn c09_a_browser_that_nobody_uses_is_signed_out_after_eight_hours_and_any_after_a_day() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let gate = Gate::open().await;
    gate.owner().await;
    let (mut used, mut left) = (Browser::new(&gate), Browser::new(&gate));
    for browser in [&mut used, &mut left] {
        browser.sign_in(OWNER.0, OWNER.1, "").await;
    }
    postern_web::look_after_sign_ins(&gate.state).await;
    for hour in 1..=24 {
        gate.later(HOUR);
        let is_in = used.navigate("/device").await.status == StatusCode::OK;
        assert_eq!(is_in, hour < 24, "hour {hour}");
        postern_web::look_after_sign_ins(&gate.state).await;
        if hour == 9 {
            assert!(left.navigate("/device").await.location().starts_with("/sign-in?"), "nobody used it");
        }
    }
}

fn redeemed(gate: &Gate, answer: &Answer) -> Arrived {
    hand_over(gate).redeem(HOST, PRE, &code(answer), gate.now()).unwrap()
}
