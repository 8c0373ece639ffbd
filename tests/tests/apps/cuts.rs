//! What lasts ends with the right to it: open WebSockets, event streams and transfers, within a second of whatever ends it.

use crate::support::{CUT_WITHIN, NAVIGATE, SOON, open_websocket};
use anyhow::{Context, Result};
use postern_tests::apps::{Grpc, Scene, Visitor, WebSocket};
use postern_tests::{Idp, Process, eventually, scenario, until};
use serde_json::{Value, json};
use std::time::Instant;

/// The socket is closed soon after the change, by 1008 and the reason.
fn expect_cut(socket: &WebSocket, since: Instant, label: &str) -> Result<()> {
    let ((status, reason), _) = socket.until_closed()?;
    let took = since.elapsed();
    assert_eq!(status, 1008, "{reason}");
    assert!(reason.contains(label), "{reason}");
    assert!(took < CUT_WITHIN, "closed {took:?} after {label}");
    until("the end of the connection", SOON, || socket.is_closed())?;
    Ok(())
}

#[test]
fn an_open_websocket_is_closed_with_the_reason_whatever_ends_the_right_to_it() -> Result<()> {
    scenario("apps-cuts", |scratch| {
        let scene = Scene::start(scratch)?;
        let owner = &scene.world.owner;
        let alice = scene.alice()?;

        let socket = open_websocket(&scene, &alice)?;
        let since = Instant::now();
        scene.revoke()?;
        expect_cut(&socket, since, "revoked").context("the grant is taken away")?;

        scene.grant()?;
        let alice_again = signed_in(&scene, &alice)?;
        let socket = open_websocket(&scene, &alice_again)?;
        let session = live_session(&scene)?;
        let since = Instant::now();
        owner.run(&["sessions", "end", &session])?.expect(0)?;
        expect_cut(&socket, since, "ended").context("the session is ended by hand")?;

        let socket = open_websocket(&scene, &signed_in(&scene, &alice)?)?;
        let since = Instant::now();
        owner.run(&["users", "disable", "alice"])?.expect(0)?;
        expect_cut(&socket, since, "user_disabled").context("the person is locked out")?;

        owner.run(&["users", "enable", "alice"])?.expect(0)?;
        let socket = open_websocket(&scene, &signed_in(&scene, &alice)?)?;
        let since = Instant::now();
        alice.browser.post_form(&scene.url("alpha", "/.postern/sign-out"), &[])?.expect(303)?;
        expect_cut(&socket, since, "signed_out").context("she signs out")?;

        let told = scene.app.seen()?;
        let closes = told.iter().filter(|line| line.starts_with("CLOSE")).count();
        assert_eq!(closes, 4, "the application hears of each end: {told:?}");
        Ok(())
    })
}

/// Somebody who is let in again, once that is in force.
fn signed_in(scene: &Scene, visitor: &Visitor) -> Result<Visitor> {
    let url = scene.url("alpha", "/");
    let is_in = || visitor.visit(&url).is_ok_and(|arrived| arrived.at == url && arrived.expect(200).is_ok());
    until("alice at alpha", SOON, is_in)?;
    Ok(visitor.clone())
}

fn live_session(scene: &Scene) -> Result<String> {
    let live = || scene.world.live_sessions().ok()?.into_iter().next();
    Ok(eventually("a live session", SOON, live)?.0)
}

#[test]
fn o11_a_word_of_the_provider_closes_the_open_websocket() -> Result<()> {
    scenario("apps-o11", |scratch| {
        let scene = Scene::start(scratch)?;
        let people = json!({ "carol": {
            "password": "pw", "groups": ["eng"], "email": "carol@example.com", "email_verified": true,
        } });
        let (url, authority) = (scene.gateway().url().to_owned(), scene.gateway().authority());
        let idp = Idp::start(&scratch.join("idp"), &url, "example", &authority, &people)?;
        scene.world.owner.write_secret("idp.secret", postern_tests::idp::CLIENT.1)?;
        scene.world.owner.apply(&idp.document("example")?)?.expect(0)?;
        let carol = scene.visitor("carol", ("carol", "pw"))?.through(&idp, "/oidc/example/start")?;
        let deep = scene.url("alpha", "/deep?x=1");
        let arrived = carol.visit(&deep)?;
        assert_eq!(arrived.at, deep);
        assert!(arrived.expect(200)?.body.contains("carol"));
        let socket = open_websocket(&scene, &carol)?;
        let since = Instant::now();
        let told = idp.order("/logout", &json!({ "person": "carol" }))?;
        assert_eq!(told["told"], 1, "{told}");
        expect_cut(&socket, since, "signed_out")?;
        carol.fetch(&scene.url("alpha", "/headers"))?.expect(401)?;
        Ok(())
    })
}

#[test]
fn events_come_as_they_are_sent_and_end_with_the_right_to_them() -> Result<()> {
    scenario("apps-events", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let arguments = ["--no-buffer", &scene.url("alpha", "/events")];
        let mut events = Process::start("events", alice.curl(&arguments)?, alice.home())?;
        // The application sends ten a second: a buffer anywhere would hold them back.
        until("three events", SOON, || events.log().contains("data: 3") || !events.is_running())?;
        // Without an end in sight, a transfer is watched in the same way.
        let transfer = |protocol: &str| -> Result<Process> {
            let endless = [protocol, "--output", "/dev/null", &scene.url("alpha", "/bytes?n=1000000000000")];
            Process::start(&format!("transfer{protocol}"), alice.curl(&endless)?, alice.home())
        };
        let (mut old, mut new) = (transfer("--http1.1")?, transfer("--http2")?);
        assert!(events.is_running(), "{}", events.log());
        until("the transfers at the application", SOON, || {
            let is_transfer = |line: &&String| line.starts_with("GET /bytes");
            scene.app.seen().is_ok_and(|seen| seen.iter().filter(is_transfer).count() == 2)
        })?;
        let since = Instant::now();
        scene.revoke()?;
        for cut in [&mut events, &mut old, &mut new] {
            let ended = cut.wait(CUT_WITHIN)?;
            // curl says of each that it is not whole: nobody takes a cut for an end.
            assert!(!ended.success(), "{ended}: {}", cut.log());
        }
        assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
        Ok(())
    })
}

#[test]
fn a_streaming_call_of_grpc_is_cut_too() -> Result<()> {
    scenario("apps-grpc-cut", |scratch| {
        let scene = Scene::start(scratch)?;
        let service = Grpc::start(&scratch.join("grpc"))?;
        scene.publish("calls", &service.target(), "{upstream: {protocol: http2}}")?;
        let alice = scene.alice()?;
        alice.browser.send(&scene.url("calls", "/"), &NAVIGATE, None)?;
        alice.visit(&scene.url("calls", "/"))?;
        let mut held = Grpc::client(&configuration(&scene, &alice, true)?)
            .and_then(|client| Process::start("held", client, alice.home()))?;
        until("the stream", SOON, || held.log().contains("holding") || !held.is_running())?;
        let since = Instant::now();
        scene.revoke()?;
        held.wait(CUT_WITHIN)?;
        assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
        let log = held.log();
        let last: Value = serde_json::from_str(log.lines().last().unwrap_or_default())?;
        assert!(last["code"].as_i64().is_some_and(|code| code != 0), "{last}");
        Ok(())
    })
}

/// What the client of a call is told.
pub(crate) fn configuration(scene: &Scene, visitor: &Visitor, hold: bool) -> Result<Value> {
    let authority = scene.authority("calls");
    let (name, port) = authority.split_once(':').context("no port")?;
    Ok(json!({
        "port": port, "name": name, "authority": scene.gateway().authority(), "hold": hold,
        "cookie": visitor.cookie_line(&authority)?,
    }))
}
