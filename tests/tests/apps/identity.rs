//! What an application is told about who asks, by whom, and what it is never told.

use crate::support::{SOON, headers, one, websocket};
use anyhow::{Context, Result};
use postern_tests::apps::{Message, Scene};
use postern_tests::{eventually, scenario, tools};
use serde_json::{Value, json};
use std::path::Path;

/// What a client may try to say about itself.
const SPOOFED: &[&str] = &[
    "X-Postern-User: root",
    "x-postern-email: root@example.com",
    "X-POSTERN-GROUPS: owners",
    "X-Postern-Jwt-Assertion: eyJhbGciOiJub25lIn0.e30.",
    "X-Postern-Anything: 1",
    "X-Forwarded-User: root",
    "X-Forwarded-Email: root@example.com",
    "X-Auth-Request-User: root",
    "Remote-User: root",
    "Tailscale-User-Login: root",
    "Cf-Access-Authenticated-User-Email: root@example.com",
    "X-Pomerium-Claim-Email: root@example.com",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: http",
    "Forwarded: for=203.0.113.9;host=evil.example",
    "X-Real-IP: 203.0.113.9",
    "X-Original-URL: /admin",
    "X-Original-Method: DELETE",
];

/// What an application may see of such a request: everything that is said about people and addresses is ours.
fn judge(scene: &Scene, told: &Value) {
    let headers = headers(told);
    assert_eq!(one(&headers, "x-postern-user"), Some("alice"), "{headers:?}");
    let assertion = one(&headers, "x-postern-jwt-assertion").unwrap_or_default();
    assert!(
        assertion.split('.').count() == 3 && !assertion.starts_with("eyJhbGciOiJub25lIn0"),
        "{headers:?}"
    );
    assert_eq!(one(&headers, "x-forwarded-for"), Some("127.0.0.1"), "{headers:?}");
    assert_eq!(one(&headers, "x-forwarded-proto"), Some("https"), "{headers:?}");
    assert_eq!(one(&headers, "x-forwarded-host"), Some(scene.authority("alpha").as_str()), "{headers:?}");
    for (name, value) in &headers {
        let is_spoofed = ["root", "owners", "203.0.113.9", "evil.example", "/admin", "DELETE"].iter();
        assert!(!is_spoofed.clone().any(|word| value.contains(word)), "{name}: {value}");
        assert!(name != "x-postern-anything", "{name}: {value}");
        // D9: our cookies and tokens stay here, theirs go on.
        assert!(!value.contains("postern-app") && !value.contains("postern-pre"), "{name}: {value}");
    }
    assert_eq!(one(&headers, "cookie"), Some("theirs=1"), "{headers:?}");
}

#[test]
fn h10_h11_d09_who_asks_is_said_by_the_gateway_alone_on_requests_and_upgrades_alike() -> Result<()> {
    scenario("apps-h10", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let cookie = format!("Cookie: theirs=1; {}", alice.cookie_line(&scene.authority("alpha"))?);
        let mut lines = SPOOFED.to_vec();
        let nobody = scene.visitor("nobody", ("nobody", ""))?;
        lines.push(&cookie);
        let plain = nobody.browser.send(&scene.url("alpha", "/headers"), &lines, None)?.expect(200)?;
        judge(&scene, &plain.json()?);
        // The same on an upgrade, and the two are told the same.
        let socket = websocket(&scene, &alice, "alpha", SPOOFED)?;
        assert_eq!(socket.status(), 101, "{}", socket.head);
        let first = || socket.messages().into_iter().next();
        let Message::Data(told) = eventually("the first message", SOON, first)?.0 else {
            anyhow::bail!("closed at once");
        };
        let told: Value = serde_json::from_str(&told)?;
        judge(&scene, &told);
        let said = |told: &Value| -> Vec<(String, String)> {
            let mut said = headers(told);
            said.retain(|(name, _)| name.starts_with("x-") || name == "forwarded");
            said.sort();
            said
        };
        assert_eq!(said(&plain.json()?), said(&told));
        // A name that some servers read as one of ours, and one that is nominated away, are refused.
        for line in [
            "X_Postern_User: root",
            "Remote_User: root",
            "Connection: X-Postern-User",
            "Connection: close, remote-user",
        ] {
            let status = ["--http1.1", "--output", "/dev/null", "--write-out", "%{http_code}"];
            let sent = ["--header", line, "--header", &cookie, &scene.url("alpha", "/headers")];
            assert_eq!(nobody.curled(&[&status[..], &sent].concat())?, "400", "{line}");
        }
        Ok(())
    })
}

#[test]
fn the_assertion_is_verified_with_the_keys_at_the_application_and_names_it_as_audience() -> Result<()> {
    scenario("apps-assertion", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        scene.publish(
            "alpha",
            &scene.app.target(),
            "{identity: {groups: [engineers], compatible: [remote_user]}}",
        )?;
        let told = eventually("the groups at the application", SOON, || {
            let told = alice.fetch(&scene.url("alpha", "/headers")).ok()?.json().ok()?;
            one(&headers(&told), "remote-user").is_some().then_some(told)
        })?
        .0;
        let headers = headers(&told);
        assert_eq!(one(&headers, "x-postern-groups"), Some("engineers"));
        assert_eq!(one(&headers, "remote-groups"), Some("engineers"));
        let jwks =
            scene.visitor("nobody", ("nobody", ""))?.fetch(&scene.url("alpha", "/.postern/jwks.json"))?;
        let question = json!({
            "jwt": one(&headers, "x-postern-jwt-assertion"), "jwks": jwks.expect(200)?.json()?,
            "issuer": scene.gateway().url(), "audience": scene.url("alpha", ""),
        });
        let claims = verify(&question)?;
        assert_eq!(claims["preferred_username"], "alice", "{claims}");
        assert_eq!(claims["groups"], json!(["engineers"]), "{claims}");
        let lasts = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(end, begin)| end - begin);
        assert_eq!(lasts, Some(300), "{claims}");
        let mut elsewhere = question;
        elsewhere["audience"] = scene.url("beta", "").into();
        assert!(verify(&elsewhere).is_err(), "beta would take what is for alpha");
        // Nobody is told of groups that the resource does not list.
        alice.visit(&scene.url("beta", "/"))?.expect(200)?;
        let told = alice.fetch(&scene.url("beta", "/headers"))?.json()?;
        assert_eq!(one(&crate::support::headers(&told), "x-postern-groups"), None);
        Ok(())
    })
}

/// Verifies as an application in Node does, with nothing but its standard library.
fn verify(question: &Value) -> Result<Value> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/verify.mjs");
    let ran = tools::command("node")?.arg(program).arg(question.to_string()).output()?;
    anyhow::ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).context("claims")
}
