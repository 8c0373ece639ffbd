//! From an application's host to our own and back, and the cookie that follows.

mod cookies;
mod sign_ins;

use crate::gate::{Answer, Browser, Gate, ISSUER, OWNER};
use axum::http::{StatusCode, header};
use postern_ids::{SignInId, UserId};
use postern_web::hand_over::{AppCookie, Arrived, Asked, HandOver, HandOverInvalid};
use std::time::Duration;

const HOST: &str = "grafana.apps.example";
const LINK: &str = "/d/abc?from=now-6h&var=a%20b";
const PRE: [u8; 32] = [7; 32];

fn hand_over(gate: &Gate) -> HandOver {
    HandOver::new(gate.store.clone(), ISSUER)
}

fn asked() -> Asked {
    Asked { host: HOST.into(), next: LINK.into(), binding: PRE, also: Vec::new(), step_up: None }
}

/// The path on our own host that a gateway leads to.
fn path(gate: &Gate, asked: &Asked) -> String {
    let url = hand_over(gate).ask(asked, gate.now());
    url.strip_prefix(ISSUER).unwrap().to_owned()
}

/// The code that an answer carries to the application's host.
fn code(answer: &Answer) -> String {
    let prefix = format!("https://{HOST}/.postern/hand-over?code=");
    answer.location().strip_prefix(&prefix).unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn signed_in(gate: &Gate) -> Browser<'_> {
    gate.owner().await;
    let mut browser = Browser::new(gate);
    browser.sign_in(OWNER.0, OWNER.1, "").await;
    browser
}

#[tokio::test]
async fn a_person_is_led_through_signing_in_and_arrives_where_they_wanted_to_go() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    let here = path(&gate, &asked());
    let answer = browser.navigate(&here).await;
    assert!(answer.location().starts_with("/sign-in?next=%2Fhand-over%3Frequest%3D"), "{answer:?}");
    let answer = browser.sign_in(OWNER.0, OWNER.1, &here).await;
    // A redirect would be one of the form's, whose policy knows no host of applications: Chromium would stay on the form.
    assert_eq!((answer.status, answer.location()), (StatusCode::OK, here.as_str()));
    let code = code(&browser.navigate(&here).await);
    let arrived = hand_over(&gate).redeem(HOST, PRE, &code, gate.now()).unwrap();
    assert_eq!(arrived.next, LINK);
    let sign_in = gate.store.sign_in(arrived.sign_in).await.unwrap().unwrap();
    assert_eq!(sign_in.user, arrived.user);
    // The second application asks for nothing.
    let other = Asked { host: "wiki.apps.example".into(), ..asked() };
    let answer = browser.navigate(&path(&gate, &other)).await;
    assert!(answer.location().starts_with("https://wiki.apps.example/.postern/hand-over?code="));
}

#[tokio::test]
async fn several_tabs_sign_in_at_once_and_all_arrive() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut browser = Browser::new(&gate);
    let tabs = ["/one", "/two", "/three"].map(|next| path(&gate, &Asked { next: next.into(), ..asked() }));
    let mut forms = Vec::new();
    for tab in &tabs {
        let to = browser.navigate(tab).await.location().to_owned();
        forms.push(browser.navigate(&to).await.field("csrf"));
    }
    let mut arrived = Vec::new();
    for (tab, csrf) in tabs.iter().zip(forms) {
        let fields = [("csrf", &*csrf), ("next", tab), ("username", OWNER.0), ("password", OWNER.1)];
        let mut answer = browser.post("/sign-in", &fields).await;
        while answer.location().starts_with('/') {
            let to = answer.location().to_owned();
            answer = browser.navigate(&to).await;
        }
        let code = code(&answer);
        arrived.push(hand_over(&gate).redeem(HOST, PRE, &code, gate.now()).unwrap());
    }
    let pages: Vec<&str> = arrived.iter().map(|arrived| arrived.next.as_str()).collect();
    assert_eq!(pages, ["/one", "/two", "/three"]);
    assert!(arrived.iter().all(|tab| tab.sign_in == arrived[0].sign_in), "one tab ended what another began");
}

#[tokio::test]
async fn o15_a_request_that_no_gateway_sealed_or_long_ago_leads_nowhere() {
    let gate = Gate::open().await;
    let other = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let good = path(&gate, &asked());
    let code = code(&browser.navigate(&good).await);
    let cookie = AppCookie {
        sign_in: SignInId::from_bytes([1; 16]),
        user: UserId::from_bytes([2; 16]),
        issued_at: gate.now(),
    };
    let foreign = path(&other, &asked());
    for bad in [
        "/hand-over".to_owned(),
        "/hand-over?request=".to_owned(),
        "/hand-over?request=AAAA".to_owned(),
        format!("{good}A"),
        format!("{good}&request=x"),
        good.replacen("request=A", "request=B", 1),
        format!("/hand-over?host={HOST}&next=/"),
        format!("/hand-over?request={code}"),
        format!("/hand-over?request={}", hand_over(&gate).seal_cookie(HOST, &cookie)),
        foreign,
    ] {
        let answer = browser.navigate(&bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(!answer.headers.contains_key(header::LOCATION), "{bad}");
    }
    gate.later(Duration::from_secs(3_601));
    assert_eq!(browser.navigate(&good).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn o15_a_code_is_good_for_half_a_minute_once_at_its_host_in_its_browser() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let gateway = hand_over(&gate);
    let here = path(&gate, &asked());
    let first = code(&browser.navigate(&here).await);
    let now = gate.now();
    assert_eq!(gateway.redeem("wiki.apps.example", PRE, &first, now), Err(HandOverInvalid::Foreign));
    assert_eq!(gateway.redeem(&format!("{HOST}:8443"), PRE, &first, now), Err(HandOverInvalid::Foreign));
    assert_eq!(gateway.redeem(HOST, [8; 32], &first, now), Err(HandOverInvalid::OtherBrowser));
    let late = now.plus(Duration::from_secs(31));
    assert_eq!(gateway.redeem(HOST, PRE, &first, late), Err(HandOverInvalid::Late));
    // A clock that was set back keeps nothing alive (F26).
    let early = now.minus(Duration::from_secs(60));
    assert_eq!(gateway.redeem(HOST, PRE, &first, early), Err(HandOverInvalid::Late));
    for bad in ["", "AAAA", &first[1..], &format!("{first}A")] {
        assert_eq!(gateway.redeem(HOST, PRE, bad, now), Err(HandOverInvalid::Foreign));
    }
    // None of that has spent it.
    assert!(matches!(gateway.redeem(HOST, PRE, &first, now), Ok(Arrived { .. })));
    assert_eq!(gateway.clone().redeem(HOST, PRE, &first, now), Err(HandOverInvalid::Used));
    // A request is no code, and a cookie is none either.
    let request = here.strip_prefix("/hand-over?request=").unwrap();
    assert_eq!(gateway.redeem(HOST, PRE, request, now), Err(HandOverInvalid::Foreign));
}

#[tokio::test]
async fn o14_a_program_that_follows_a_redirect_is_told_401_and_led_nowhere() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let here = path(&gate, &asked());
    for headers in [
        &[("accept", "text/html"), ("sec-fetch-mode", "cors")][..],
        &[("accept", "text/html"), ("sec-fetch-mode", "no-cors")],
        &[("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "cors")],
        &[("accept", "application/json")],
        &[("accept", "*/*")],
        &[],
    ] {
        let answer = browser.get_with(&here, headers).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{headers:?}");
        assert!(!answer.headers.contains_key(header::LOCATION));
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        assert_eq!(answer.code(), "unauthenticated");
    }
    let older = browser.get_with(&here, &[("accept", "text/html,*/*")]).await;
    assert_eq!(older.status, StatusCode::SEE_OTHER, "a browser that does not say how it fetches");
}

#[tokio::test]
async fn o14_what_signing_in_answers_holds_no_token_of_the_sign_in() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let cookie = browser.jar["__Host-postern"].clone();
    let here = path(&gate, &asked());
    for page in
        ["/sign-in", "/device", &here, "/sign-in/again?next=%2Fdevice", "/signed-out", "/oauth/authorize"]
    {
        let answer = browser.navigate(page).await;
        assert!(!answer.body.contains(&cookie), "{page}");
        assert!(!answer.body.contains("access_token") && !answer.body.contains("id_token"), "{page}");
        let told = answer.headers.get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
        assert!(!told.unwrap_or_default().contains(&cookie), "{page}");
    }
}

#[tokio::test]
async fn o05_a_link_that_leads_away_from_its_host_or_is_too_long_leads_to_the_front_page() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let long = format!("/{}", "x".repeat(4_095));
    let companions: Vec<String> = (0..6).map(|n| format!("{n}{}.apps.example", "y".repeat(200))).collect();
    for (next, also, arrives) in [
        (LINK, &[][..], LINK),
        (&long, &[], &long),
        ("/a?q=\\x#", &[], "/a?q=\\x#"),
        (&format!("{long}x"), &[], "/"),
        (&long, &companions, "/"),
        ("//evil.example", &[], "/"),
        ("/\\evil.example", &[], "/"),
        ("/\t/evil.example", &[], "/"),
        ("/a\r\nset-cookie: x", &[], "/"),
        ("https://evil.example", &[], "/"),
        ("evil", &[], "/"),
        ("", &[], "/"),
    ] {
        let asked = Asked { next: next.into(), also: also.to_vec(), ..asked() };
        let here = path(&gate, &asked);
        assert!(here.len() < 8 * 1024, "the gateway reads no longer address");
        let answer = browser.navigate(&here).await;
        assert!(answer.location().len() < 8 * 1024 + HOST.len() + "https://".len());
        let arrived = hand_over(&gate).redeem(HOST, PRE, &code(&answer), gate.now()).unwrap();
        assert_eq!((arrived.next.as_str(), arrived.also.len()), (arrives, also.len()), "{next}");
    }
}
