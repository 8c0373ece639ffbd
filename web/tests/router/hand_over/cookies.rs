//! The cookie of one application: worth nothing anywhere else, and made by nobody else.

use super::{HOST, PRE, asked, code, hand_over, path, signed_in};
use crate::gate::{Browser, Gate};
use axum::http::StatusCode;
use postern_ids::{SignInId, UserId};
use postern_web::hand_over::AppCookie;

#[tokio::test]
async fn c02_an_application_s_cookie_is_worth_nothing_anywhere_else() {
    let gate = Gate::open().await;
    let mut browser = signed_in(&gate).await;
    let gateway = hand_over(&gate);
    let here = path(&gate, &asked());
    let code = code(&browser.navigate(&here).await);
    let arrived = gateway.redeem(HOST, PRE, &code, gate.now()).unwrap();
    let cookie = AppCookie { sign_in: arrived.sign_in, user: arrived.user, issued_at: gate.now() };
    let text = gateway.seal_cookie(HOST, &cookie);
    assert_eq!(gateway.open_cookie(HOST, &text), Some(cookie));
    for host in ["wiki.apps.example", "GRAFANA.apps.example", "grafana.apps.example:8443", "gw.example", ""] {
        assert_eq!(gateway.open_cookie(host, &text), None, "{host}");
    }
    // Nor is anything else of ours a cookie there: not a code, a request, the console's cookie or a form's.
    let request = here.strip_prefix("/hand-over?request=").unwrap();
    let jar = browser.jar.clone();
    for other in [code.as_str(), request, &jar["__Host-postern"], &jar["__Host-postern-form"], ""] {
        assert_eq!(gateway.open_cookie(HOST, other), None);
    }
    // At our own host it is not a sign-in.
    let mut thief = Browser::new(&gate);
    thief.jar.insert("__Host-postern".into(), text.clone());
    assert!(thief.navigate("/device").await.location().starts_with("/sign-in?"));
    let me = gate.get("/me", &text).await;
    assert_eq!(me.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn c08_of_100_000_changed_cookies_none_opens() {
    let gate = Gate::open().await;
    let gateway = hand_over(&gate);
    let of = |n: u8| AppCookie {
        sign_in: SignInId::from_bytes([n; 16]),
        user: UserId::from_bytes([n + 100; 16]),
        issued_at: gate.now(),
    };
    let (alice, bob) = (gateway.seal_cookie(HOST, &of(1)), gateway.seal_cookie(HOST, &of(2)));
    assert_ne!(alice, gateway.seal_cookie(HOST, &of(1)), "no two seals are alike");
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    for _ in 0..100_000 {
        let mut bytes = alice.clone().into_bytes();
        let at = usize::try_from(next()).unwrap() % bytes.len();
        bytes[at] ^= 1 << (next() % 7);
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(gateway.open_cookie(HOST, &changed), None, "{changed}");
    }
    // Halves of two people's cookies, and cookies that were cut. Both begin with the format and the key's name.
    for cut in 1..alice.len() {
        let halves = format!("{}{}", &alice[..cut], &bob[cut..]);
        let is_whole = halves == alice || halves == bob;
        assert_eq!(gateway.open_cookie(HOST, &halves).is_some(), is_whole, "{cut}");
        assert_eq!(gateway.open_cookie(HOST, &alice[..cut]), None);
    }
    // Another key.
    let other = Gate::open().await;
    assert_eq!(hand_over(&other).open_cookie(HOST, &alice), None);
}
