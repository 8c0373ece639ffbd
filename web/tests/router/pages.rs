//! The pages, and those who would abuse them.

use crate::gate::{Browser, Gate, ISSUER, OWNER};
use axum::http::{StatusCode, header};
use std::time::Duration;

#[tokio::test]
async fn c07_every_page_forbids_framing_sniffing_caching_and_foreign_content() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    let mut pages = vec![browser.get("/sign-in").await, browser.get("/nowhere").await];
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    pages.push(browser.get("/sign-in").await);
    pages.push(browser.get("/device").await);
    for page in pages {
        let value = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        let policy = value("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
        assert_eq!(value("x-content-type-options"), "nosniff");
        assert_eq!(value("referrer-policy"), "no-referrer");
        assert_eq!(value("cross-origin-opener-policy"), "same-origin");
        assert_eq!(value("cross-origin-resource-policy"), "same-origin");
        assert_eq!(value("cache-control"), "no-store");
        for banned in ["<script", "style=", "onload", "onclick", "javascript:"] {
            assert!(!page.body.contains(banned), "{banned}");
        }
    }
}

#[tokio::test]
async fn c07_what_a_stranger_typed_is_inert_on_the_page() {
    let gate = Gate::open().await;
    gate.owner().await;
    let hostile = r#""><script>alert(1)</script><img src=x onerror="alert(1)">"#;
    let mut browser = Browser::new(&gate);
    let page = browser.try_sign_in(hostile, "x", "").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(!page.body.contains("<script") && !page.body.contains("<img src=x"), "{}", page.body);
    let fields = [("client_id", "postern-cli"), ("device_name", hostile)];
    let device = gate.oauth("/oauth/device_authorization", &fields).await.json();
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    let page = browser.get(&format!("/device?user_code={}", device["user_code"].as_str().unwrap())).await;
    assert!(!page.body.contains("<script") && !page.body.contains("onerror="), "{}", page.body);
}

#[tokio::test]
async fn c05_a_form_that_our_page_did_not_send_to_this_browser_changes_nothing() {
    let gate = Gate::open().await;
    gate.owner().await;
    let (mut victim, mut attacker) = (Browser::new(&gate), Browser::new(&gate));
    let foreign = attacker.get("/sign-in").await.field("csrf");
    let own = victim.get("/sign-in").await.field("csrf");
    let fill = |csrf: &str| {
        [("csrf", csrf.to_owned()), ("username", OWNER.0.to_owned()), ("password", OWNER.1.to_owned())]
    };
    let same = [("sec-fetch-site", "same-origin")];
    for (csrf, headers) in [
        ("", &same[..]),
        (foreign.as_str(), &same),
        (own.as_str(), &[("sec-fetch-site", "cross-site")]),
        (own.as_str(), &[("sec-fetch-site", "same-site")]),
        (own.as_str(), &[("origin", "null")]),
        (own.as_str(), &[("origin", "https://evil.example")]),
    ] {
        let fields = fill(csrf);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = victim.post_with("/sign-in", &fields, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{csrf} {headers:?}");
        assert!(!victim.jar.contains_key("__Host-postern"));
    }
    let fields = fill(&own);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        victim.post_with("/sign-in", &fields, &[("origin", ISSUER)]).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn c01_signing_in_makes_a_new_cookie_and_ends_the_old_one() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    let old = browser.jar.clone();
    // A second sign-in in the same browser: the form is reached with a fresh form cookie.
    let csrf = browser.get("/sign-in").await.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("username", OWNER.0), ("password", OWNER.1)];
    assert_eq!(browser.post("/sign-in", &fields).await.status, StatusCode::SEE_OTHER);
    assert_ne!(browser.jar["__Host-postern"], old["__Host-postern"]);
    let mut replay = Browser::new(&gate);
    replay.jar = old;
    assert!(replay.get("/device").await.location().starts_with("/sign-in?"), "the old cookie still works");
    assert_eq!(browser.get("/device").await.status, StatusCode::OK);
    assert_eq!(browser.get("/sign-out").await.location(), "/sign-in", "whoever types it finds the button");
    let csrf = browser.get("/sign-in").await.field("csrf");
    let copy = browser.jar.clone();
    browser.post("/sign-out", &[("csrf", &csrf)]).await;
    assert!(!browser.jar.contains_key("__Host-postern"));
    replay.jar = copy;
    assert!(
        replay.get("/device").await.location().starts_with("/sign-in?"),
        "the cookie outlived the sign-out"
    );
}

#[tokio::test]
async fn c03_two_sign_in_cookies_are_refused() {
    let gate = Gate::open().await;
    let request = http::Request::get("/device")
        .header(header::COOKIE, "__Host-postern=a; __Host-postern=b")
        .body(axum::body::Body::empty());
    assert_eq!(gate.send(request.unwrap()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a09_an_unknown_name_and_a_wrong_password_look_alike_and_guessing_is_slowed() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    let wrong = browser.try_sign_in(OWNER.0, "not the password", "").await;
    let unknown = browser.try_sign_in("nobody", "not the password", "").await;
    assert_eq!((wrong.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    let plain = |page: &str, name: &str| page.replace(&format!("value=\"{name}\""), "");
    assert_eq!(plain(&wrong.body, OWNER.0), plain(&unknown.body, "nobody"));
    // Spellings of one name share one counter.
    let mut slowed = false;
    for spelling in ["OLIVIA", " olivia", "Olivia", "olivia ", "oLivia", "olivia", "OLIVIA", "olivia"] {
        slowed |= browser.try_sign_in(spelling, "guess", "").await.status == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(slowed);
    let later = browser.try_sign_in(OWNER.0, OWNER.1, "").await;
    assert_eq!(later.status, StatusCode::TOO_MANY_REQUESTS, "even the right password has to wait");
    assert!(later.headers.contains_key(header::RETRY_AFTER));
    gate.later(Duration::from_secs(61));
    browser.sign_in(OWNER.0, OWNER.1, "").await;
}

#[tokio::test]
async fn o05_after_signing_in_nobody_is_sent_elsewhere() {
    let gate = Gate::open().await;
    gate.owner().await;
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let answer = Browser::new(&gate).sign_in(OWNER.0, OWNER.1, next).await;
        assert_eq!(answer.location(), "/sign-in", "{next}");
    }
}
