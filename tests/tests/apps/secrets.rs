//! L2: after a day in the life of an installation no secret is in anything that its programs wrote or show.

use crate::support::{NAVIGATE, SOON, headers, one, open_websocket};
use anyhow::{Context, Result};
use postern_tests::apps::{Scene, Visitor, options};
use postern_tests::curl::Browser;
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{Connector, Idp, Raw, Scratch, scenario, tools, until};
use serde_json::json;
use std::path::Path;

/// Planted and collected secrets, each with what it is.
#[derive(Default)]
struct Canaries(Vec<(String, String)>);

impl Canaries {
    fn add(&mut self, what: &str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} is too short to be told from other text: {secret:?}");
        self.0.push((what.to_owned(), secret));
    }

    /// Cookies of ours in somebody's browser.
    fn add_cookies(&mut self, visitor: &Visitor) -> Result<()> {
        let jar = std::fs::read_to_string(visitor.home().join("cookies.txt"))?;
        for line in jar.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            if let [.., name, value] = fields.as_slice()
                && value.len() >= 16
            {
                self.add(&format!("the cookie {name}"), *value);
            }
        }
        Ok(())
    }

    fn expect_none_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            assert!(!text.contains(secret.as_str()), "{what} is in {place}");
        }
        // Whoever signs it: a token with three parts is a credential.
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let signed =
            text.split(|c| !is_part(c)).find(|word| word.starts_with("eyJ") && word.split('.').count() == 3);
        assert_eq!(signed, None, "a signed token is in {place}");
    }
}

/// The addresses on somebody's way to an application, each with a code or a sealed request in it.
fn codes_on_the_way(visitor: &Visitor, url: &str) -> Result<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), url.to_owned());
    for _ in 0..10 {
        let answer = visitor.browser.send(&at, &NAVIGATE, None)?;
        let Some(next) = answer.header("location") else { break };
        if let Some((_, code)) = next.split_once("code=") {
            found.push(code.split('&').next().unwrap_or_default().to_owned());
        }
        at = if next.starts_with('/') { postern_tests::curl::origin(&at) + next } else { next.to_owned() };
    }
    Ok(found)
}

#[test]
fn l02_no_secret_of_a_web_application_is_in_any_log_at_any_level_or_in_a_metric() -> Result<()> {
    for level in ["info", "trace"] {
        scenario(&format!("apps-l02-{level}"), |scratch| a_day(scratch, level))?;
    }
    Ok(())
}

fn a_day(scratch: &Scratch, level: &str) -> Result<()> {
    let mut scene = Scene::start_with(scratch, &options()?.set("log.level", level))?;
    scene.world.connector.kill()?;
    let elsewhere = Connector::unregistered(&tools::programs()?, &scratch.join("elsewhere"))?;
    let connector = std::mem::replace(&mut scene.world.connector, elsewhere);
    scene.world.connector = connector.with_environment("POSTERN_LOG", level);
    scene.world.connector.run()?;
    scene.world.await_connector()?;
    let mut canaries = Canaries::default();
    for (what, secret) in [
        ("a password", OWNER.1),
        ("a password", ALICE.1),
        ("the provider's secret", postern_tests::idp::CLIENT.1),
    ] {
        canaries.add(what, secret);
    }
    // Somebody of our own, somebody of a provider, and how they came.
    let alice = scene.alice()?;
    let people = json!({ "carol": {
        "password": "a planted password of carol", "groups": ["eng"], "email": "carol@example.com", "email_verified": true,
    } });
    let (url, authority) = (scene.gateway().url().to_owned(), scene.gateway().authority());
    let idp = Idp::start(&scratch.join("idp"), &url, "example", &authority, &people)?;
    scene.world.owner.write_secret("idp.secret", postern_tests::idp::CLIENT.1)?;
    scene.world.owner.apply(&idp.document("example")?)?.expect(0)?;
    let carol = scene.visitor("carol", ("carol", "a planted password of carol"))?;
    let carol = carol.through(&idp, "/oidc/example/start")?;
    let here = scene.url("alpha", "/private?token=planted-in-the-query");
    let came = || carol.visit(&here).is_ok_and(|arrived| arrived.at == here);
    until("carol at alpha", SOON, came)?;
    canaries.add("a password", "a planted password of carol");
    canaries.add("a query", "planted-in-the-query");
    for code in codes_on_the_way(&alice, &scene.url("beta", "/"))? {
        canaries.add("a hand-over code", code);
    }
    // What applications are told, what programs show, and what goes wrong.
    let told = headers(&alice.fetch(&scene.url("alpha", "/headers"))?.expect(200)?.json()?);
    canaries.add("an assertion", one(&told, "x-postern-jwt-assertion").context("no assertion")?);
    let made = scene.world.alice.json(&["token", "create", "alpha"])?;
    let token = made["token"].as_str().context("no token")?.to_owned();
    canaries.add("an application token", token.clone());
    let program = Browser::new(&scene.gateway().authority(), Path::new("/dev"));
    for (secret, status) in [
        (format!("Bearer {token}"), 200),
        (format!("Bearer {token}x"), 401),
        ("Bearer planted-in-an-authorization".to_owned(), 401),
        ("Basic cGxhbnRlZDphbHNvLXBsYW50ZWQtaGVyZQ==".to_owned(), 401),
    ] {
        let line = format!("Authorization: {secret}");
        program.send(&scene.url("alpha", "/headers"), &[&line], None)?.expect(status)?;
    }
    canaries.add("an Authorization", "planted-in-an-authorization");
    canaries.add("an Authorization", "cGxhbnRlZDphbHNvLXBsYW50ZWQtaGVyZQ==");
    let stale = "Cookie: __Host-postern-app=planted-in-our-cookie; theirs=planted-in-their-cookie";
    program.send(&scene.url("alpha", "/headers"), &[stale], None)?.expect(401)?;
    canaries.add("a cookie", "planted-in-our-cookie");
    canaries.add("a cookie", "planted-in-their-cookie");
    alice
        .browser
        .send(&scene.url("alpha", "/count"), &[], Some(("POST", "planted-in-a-body")))?
        .expect(200)?;
    canaries.add("a body", "planted-in-a-body");
    let name = scene.authority("alpha");
    let mut bad = Raw::open(scene.gateway(), "http/1.1", name.split(':').next().unwrap_or_default())?;
    bad.send(format!(
        "GET /x HTTP/1.1\r\nHost: {name}\r\nHost: {name}\r\nCookie: c=planted-in-a-bad-head\r\n\r\n"
    ));
    bad.until_closed()?;
    canaries.add("a refused head", "planted-in-a-bad-head");
    let mut socket = open_websocket(&scene, &alice)?;
    socket.send("planted-in-a-message");
    socket.until("planted-in-a-message")?;
    canaries.add("a message", "planted-in-a-message");
    let ran =
        scene.world.alice.run(&["curl", &scene.url("alpha", "/headers"), "--", "--silent"])?.expect(0)?;
    let by_command = headers(&ran.json()?);
    canaries.add("an assertion", one(&by_command, "x-postern-jwt-assertion").context("no assertion")?);
    for visitor in [&alice, &carol] {
        canaries.add_cookies(visitor)?;
    }
    alice.browser.post_form(&scene.url("alpha", "/.postern/sign-out"), &[])?.expect(303)?;
    idp.order("/logout", &json!({ "person": "carol" }))?;
    let connector = scene.world.connector.log();
    assert!(connector.contains("session opened"), "no log, so nothing is shown: {connector}");
    let (_, metrics) = scene.gateway().internal("/metrics")?;
    assert!(metrics.contains("postern_"), "no metrics, so nothing is shown");
    println!("{} canaries at level {level}", canaries.0.len());
    for (place, text) in [
        ("the gateway's log", scene.gateway().log()),
        ("the connector's log", connector),
        ("the metrics", metrics),
        ("what the command said", ran.stderr),
    ] {
        canaries.expect_none_in(place, &text);
    }
    Ok(())
}
