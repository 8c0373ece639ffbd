//! Web applications through a whole gateway: TLS on loopback, an embedded store, a connector whose target is an application.

use crate::support::{
    PATIENCE,
    app::{AppScene, publish, text},
    now,
    person::Person,
};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use postern_ids::Ended;
use postern_policy::model::{PublicPath, Web};
use postern_store::{Actor, SessionFilter};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAVIGATION: (&str, &str) = ("sec-fetch-mode", "navigate");
const SOCKET: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_is_led_to_sign_in_and_programs_are_only_told() {
    let apps = AppScene::start().await;
    let response = apps.send("wiki", apps.get("wiki", "/page?x=1", &[NAVIGATION])).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    let console = apps.scene.node.public_url.as_str().trim_end_matches('/');
    assert!(location.starts_with(&format!("{console}/hand-over?request=")), "{location}");
    let pre = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(pre.starts_with("__Host-postern-pre=") && pre.contains("HttpOnly"), "{pre}");
    let response = apps.send("wiki", apps.get("wiki", "/api", &[("sec-fetch-mode", "cors")])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!response.headers().contains_key(header::LOCATION));
    assert!(apps.seen.heads.lock().unwrap().is_empty(), "nothing reached the application");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_learns_who_asks_from_us_alone_and_sees_no_cookie_of_ours() {
    let apps = AppScene::start().await;
    let cookie = format!("theme=dark; {}; lang=en", apps.alices());
    let headers = [
        ("cookie", cookie.as_str()),
        ("x-postern-user", "mallory"),
        ("x-forwarded-for", "6.6.6.6"),
        ("remote-user", "mallory"),
        ("authorization", "Basic YTpi"),
    ];
    let response = apps.send("wiki", apps.get("wiki", "/page?x=1", &headers)).await;
    assert_eq!(text(response).await, (StatusCode::OK, "/page?x=1 0".to_owned()));
    let (_, head) = apps.seen.heads.lock().unwrap()[0].clone();
    assert_eq!(head["x-postern-user"], "alice");
    assert!(head.contains_key("x-postern-jwt-assertion"));
    assert_eq!(head["cookie"], "theme=dark; lang=en");
    assert_eq!(head["x-forwarded-for"], "127.0.0.1");
    assert!(!head.contains_key("remote-user"));
    assert_eq!(head["authorization"], "Basic YTpi", "what is not ours is the application's");
    assert_eq!(head["host"], apps.host("wiki").as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_person_are_one_recorded_session_over_kept_connections() {
    let apps = AppScene::start().await;
    let cookie = apps.alices();
    for path in ["/a", "/b", "/c"] {
        let (status, _) = text(apps.send("wiki", apps.get("wiki", path, &[("cookie", &cookie)])).await).await;
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(*apps.seen.connections.lock().unwrap(), 1);
    assert_eq!(apps.scene.node.live().len(), 1);
    let store = apps.scene.store();
    let revision =
        store.end_sign_in(apps.person.sign_in, "signed_out", &Actor::system("test"), now()).await.unwrap();
    apps.scene.in_force(revision).await;
    let response = apps.send("wiki", apps.get("wiki", "/d", &[("cookie", &cookie)])).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "o10: the cookie is worth nothing any more");
    apps.scene.until(|| apps.scene.node.live().is_empty()).await;
    let ended = async {
        loop {
            let all = store.sessions(&SessionFilter::default(), 10).await.unwrap();
            if let [only] = all.as_slice()
                && let Some((ended, _)) = only.ended
            {
                return ended;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(ended, Ended::SignedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn c02_a_cookie_of_one_application_is_worth_nothing_at_another() {
    let apps = AppScene::start().await;
    publish(&apps.scene, apps.site, "other", Web::default()).await;
    let cookie = apps.alices();
    for headers in [vec![("cookie", cookie.as_str())], [&SOCKET[..], &[("cookie", &cookie)]].concat()] {
        let response = apps.send("other", apps.get("other", "/", &headers)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let twice = format!("{cookie}; {cookie}");
    let response = apps.send("wiki", apps.get("wiki", "/", &[("cookie", &twice)])).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST, "c03: twice is ambiguous");
    assert!(apps.seen.heads.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_is_closed_with_our_code_when_the_right_to_it_ends() {
    let apps = AppScene::start().await;
    let cookie = apps.alices();
    let origin = format!("https://{}", apps.host("wiki"));
    let headers = [&SOCKET[..], &[("cookie", &cookie), ("origin", &origin)]].concat();
    let mut response = apps.send("wiki", apps.get("wiki", "/socket", &headers)).await;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut socket = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    let mut first = [0; 4];
    socket.read_exact(&mut first).await.unwrap();
    assert_eq!(first, [0x81, 2, b'h', b'i']);
    apps.revoke().await;
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest[0], 0x88, "a close frame");
    assert_eq!(rest[2..4], 1008_u16.to_be_bytes());
    assert!(String::from_utf8_lossy(&rest[4..]).starts_with("4412 revoked"), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c06_a_page_of_somebody_else_opens_no_web_socket() {
    let apps = AppScene::start().await;
    let cookie = apps.alices();
    for origin in ["https://evil.example", "null", "https://other.apps.test"] {
        let headers = [&SOCKET[..], &[("cookie", &cookie), ("origin", origin)]].concat();
        let response = apps.send("wiki", apps.get("wiki", "/socket", &headers)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(apps.seen.heads.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_at_once_and_stop_when_the_right_to_them_ends() {
    let apps = AppScene::start().await;
    let response = apps.send("wiki", apps.get("wiki", "/events", &[("cookie", &apps.alices())])).await;
    let mut body = response.into_body();
    let first = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    apps.revoke().await;
    let next = tokio::time::timeout(Duration::from_secs(5), body.frame()).await.unwrap();
    assert!(next.is_none_or(|frame| frame.is_err()), "the answer breaks off");
}

#[tokio::test(flavor = "multi_thread")]
async fn c10_an_application_sets_no_cookie_for_others_or_in_our_name() {
    let apps = AppScene::start().await;
    let response = apps.send("wiki", apps.get("wiki", "/cookies", &[("cookie", &apps.alices())])).await;
    let set: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
    assert_eq!(set, ["a=1; Path=/"]);
    let response =
        apps.send("wiki", apps.get("wiki", "/.postern/nothing", &[("cookie", &apps.alices())])).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND, "our own path never reaches the application");
    assert_eq!(apps.seen.heads.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_person_sees_why_and_nothing_reaches_the_application() {
    let apps = AppScene::start().await;
    apps.revoke().await;
    let headers = [("cookie", &*apps.alices()), NAVIGATION];
    let (status, page) = text(apps.send("wiki", apps.get("wiki", "/", &headers)).await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("dec_"), "{page}");
    assert!(apps.seen.heads.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn h14_a_public_path_needs_nobody_and_covers_nothing_else() {
    let public = PublicPath { path: "/hooks/*".into(), methods: vec!["GET".into()] };
    let apps = AppScene::start_with(Web { public: vec![public], ..Web::default() }).await;
    let (status, _) = text(apps.send("wiki", apps.get("wiki", "/hooks/a?b", &[])).await).await;
    assert_eq!(status, StatusCode::OK);
    let (_, head) = apps.seen.heads.lock().unwrap()[0].clone();
    assert!(!head.keys().any(|name| name.as_str().starts_with("x-postern-")), "nobody is nobody");
    // Whoever is signed in and has no right of their own is let in as nobody.
    let stranger = Person::stranger(&apps.scene).await;
    let cookie = apps.cookie(&apps.host("wiki"), stranger.0, stranger.1);
    let (status, _) =
        text(apps.send("wiki", apps.get("wiki", "/hooks/b", &[("cookie", &cookie)])).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!apps.seen.heads.lock().unwrap()[1].1.contains_key("x-postern-user"));
    for path in ["/hooks", "/other?/hooks/a", "/hooks/../secret", "/hooks/%2e%2e/secret"] {
        let response = apps.send("wiki", apps.get("wiki", path, &[])).await;
        assert!(matches!(response.status().as_u16(), 400 | 401), "{path} {}", response.status());
    }
    assert_eq!(apps.seen.heads.lock().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_pair_of_requests_is_answered_in_order() {
    let apps = AppScene::start().await;
    let head = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n", apps.host("wiki"), apps.alices())
    };
    let mut io = apps.connect("wiki").await;
    io.write_all(format!("{}{}", head("/one"), head("/two")).as_bytes()).await.unwrap();
    let mut answers = String::new();
    let read = async {
        while !answers.contains("/two 0") {
            let mut buffer = [0; 1024];
            let count = io.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "{answers}");
            answers.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    assert!(answers.find("/one 0") < answers.find("/two 0"), "{answers}");
}
