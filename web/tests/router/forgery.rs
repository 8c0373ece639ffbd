//! Forms that somebody else's page sends, in every way that a browser can be made to.

use crate::gate::{Answer, Browser, Gate, ISSUER, OWNER};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A device that waits, and a browser that is signed in and has its consent page open.
struct Victim<'a> {
    gate: &'a Gate,
    browser: Browser<'a>,
    user_code: String,
    device_code: String,
    csrf: String,
}

impl<'a> Victim<'a> {
    async fn of(gate: &'a Gate) -> Self {
        gate.owner().await;
        let asked = gate.oauth("/oauth/device_authorization", &[("client_id", "postern-cli")]).await.json();
        let text = |name: &str| asked[name].as_str().unwrap().to_owned();
        let (user_code, device_code) = (text("user_code"), text("device_code"));
        let mut browser = Browser::new(gate);
        browser.sign_in(OWNER.0, OWNER.1, "").await;
        let csrf = browser.get(&format!("/device?user_code={user_code}")).await.field("csrf");
        Self { gate, browser, user_code, device_code, csrf }
    }

    fn body(&self, csrf: &str) -> String {
        format!("csrf={csrf}&user_code={}&answer=allow", self.user_code)
    }

    async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let cookies: Vec<String> =
            self.browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(target);
        request = request.header(header::COOKIE, cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.gate.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn expect_still_pending(&self, what: &str) {
        // As far apart as a device may ask.
        self.gate.later(std::time::Duration::from_secs(6));
        assert_eq!(
            self.gate.poll(&self.device_code).await.json()["error"],
            "authorization_pending",
            "{what}"
        );
    }
}

#[tokio::test]
async fn c05_no_foreign_page_lets_a_device_in_though_the_cookies_come_along() {
    let gate = Gate::open().await;
    let victim = Victim::of(&gate).await;
    let foreign = Browser::new(&gate).get("/sign-in").await.field("csrf");
    let (own, none) = (victim.csrf.clone(), String::new());
    let kind = (header::CONTENT_TYPE.as_str(), FORM);
    for (csrf, headers) in [
        (&own, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..]),
        (&own, &[("sec-fetch-site", "same-site"), ("origin", "https://app.gw.example")]),
        (&own, &[("sec-fetch-site", "cross-site"), ("origin", ISSUER)]),
        (&own, &[("origin", "https://evil.example")]),
        (&own, &[("origin", "null")]),
        (&own, &[("origin", "http://gw.example")]),
        (&own, &[("origin", "https://gw.example.evil.example")]),
        (&own, &[("origin", ISSUER), ("origin", "https://evil.example")]),
        // From our own page, as far as the headers say, but without what only that page knows.
        (&none, &[("sec-fetch-site", "same-origin"), ("origin", ISSUER)]),
        (&foreign, &[("sec-fetch-site", "same-origin"), ("origin", ISSUER)]),
        // Without a word of where it comes from.
        (&none, &[]),
        (&foreign, &[]),
    ] {
        let headers = [&[kind][..], headers].concat();
        let answer = victim.send("POST", "/device", &headers, victim.body(csrf)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        victim.expect_still_pending(&format!("{headers:?}")).await;
    }
    let ours = [kind, ("sec-fetch-site", "same-origin"), ("origin", "null")];
    let answer = victim.send("POST", "/device", &ours, victim.body(&own)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    gate.later(std::time::Duration::from_secs(6));
    assert_eq!(gate.poll(&victim.device_code).await.status, StatusCode::OK);
}

#[tokio::test]
async fn c05_only_a_form_by_post_is_a_form() {
    let gate = Gate::open().await;
    let victim = Victim::of(&gate).await;
    let body = victim.body(&victim.csrf);
    let json = format!(r#"{{"csrf":"{}","user_code":"{}","answer":"allow"}}"#, victim.csrf, victim.user_code);
    for (kind, body) in [
        ("text/plain", &body),
        ("text/plain", &json),
        ("application/json", &json),
        ("multipart/form-data; boundary=x", &body),
        ("application/x-www-form-urlencoded; charset=utf-16", &body),
        ("", &body),
    ] {
        let headers = [("sec-fetch-site", "same-origin"), (header::CONTENT_TYPE.as_str(), kind)];
        let answer = victim.send("POST", "/device", &headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        victim.expect_still_pending(kind).await;
    }
    // What can be opened changes nothing, however it is dressed up.
    let query = format!("/device?{body}");
    for (method, target, headers) in [
        ("GET", query.as_str(), &[][..]),
        ("GET", &query, &[("x-http-method-override", "POST")]),
        (
            "GET",
            &format!("{query}&_method=POST"),
            &[("x-http-method", "POST"), ("x-method-override", "POST")],
        ),
        ("HEAD", &query, &[]),
    ] {
        let answer = victim.send(method, target, headers, String::new()).await;
        assert!(answer.status.is_success(), "{method} {target}: {answer:?}");
        victim.expect_still_pending(method).await;
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let headers = [("sec-fetch-site", "same-origin"), (header::CONTENT_TYPE.as_str(), FORM)];
        let answer = victim.send(method, "/device", &headers, body.clone()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        victim.expect_still_pending(method).await;
    }
}

#[tokio::test]
async fn c05_nobody_is_signed_in_as_somebody_else_by_a_foreign_page() {
    let gate = Gate::open().await;
    gate.owner().await;
    let mut victim = Browser::new(&gate);
    let csrf = victim.get("/sign-in").await.field("csrf");
    let fields = [("csrf", csrf.as_str()), ("username", OWNER.0), ("password", OWNER.1)];
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        let answer = victim.post_with("/sign-in", &fields, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(!victim.jar.contains_key("__Host-postern"), "{headers:?}");
    }
}
