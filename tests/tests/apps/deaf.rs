//! Browsers that take what they are sent slowly or not at all: the end of a right does not wait for them.

use crate::support::{CUT_WITHIN, SOON};
use anyhow::Result;
use postern_tests::apps::{Endless, Scene, Visitor};
use postern_tests::h2::{self, END_STREAM, Frame, kind};
use postern_tests::{Process, Raw, scenario, until};
use std::time::Instant;

/// Takes away the right to `/endless` alone: the session that it belongs to goes on.
const FORBID: &str = "kind: policy\nname: no-end\ntext: |\n  forbid(principal, action == Action::\"http\", resource) when { context.path == \"/endless\" };\n";

/// Alice, signed in at such an application, with her cookie there.
fn begin(scene: &Scene, endless: &Endless) -> Result<(Visitor, String)> {
    scene.publish("endless", &endless.app.target(), "{}")?;
    let alice = scene.alice()?;
    alice.visit(&scene.url("endless", "/"))?.expect(200)?;
    let cookie = alice.cookie_line(&scene.authority("endless"))?;
    Ok((alice, cookie))
}

/// Asks for the answer without end over HTTP/1.1 or HTTP/2, and waits until it is under way.
fn ask(scene: &Scene, endless: &Endless, protocol: &str, cookie: &str) -> Result<Raw> {
    let authority = scene.authority("endless");
    let mut raw = Raw::open(scene.gateway(), protocol, authority.split(':').next().unwrap_or_default())?;
    if protocol == "h2" {
        raw.send(h2::hello(&[]));
        let line = ("GET", authority.as_str(), "/endless");
        raw.send(h2::request(1, END_STREAM, line, &[("cookie", cookie)]));
    } else {
        raw.send(format!("GET /endless HTTP/1.1\r\nHost: {authority}\r\nCookie: {cookie}\r\n\r\n"));
    }
    until("the answer under way", SOON, || endless.open() == 1)?;
    Ok(raw)
}

fn resets(raw: &Raw) -> Vec<Frame> {
    h2::frames(&raw.heard()).into_iter().filter(|frame| frame.kind == kind::RST_STREAM).collect()
}

#[test]
fn the_right_to_one_request_ends_though_nobody_takes_its_answer_and_the_session_goes_on() -> Result<()> {
    scenario("apps-deaf", |scratch| {
        let scene = Scene::start(scratch)?;
        let endless = Endless::start()?;
        let (alice, cookie) = begin(&scene, &endless)?;
        for protocol in ["h2", "http/1.1"] {
            let mut raw = ask(&scene, &endless, protocol, &cookie)?;
            if protocol == "http/1.1" {
                raw.freeze()?;
            } else {
                // The window that a client has by itself is full; nothing opens it.
                raw.until("a full window", |heard| (heard.len() >= 65_535).then_some(()))?;
            }
            let since = Instant::now();
            scene.world.owner.apply(FORBID)?.expect(0)?;
            until("the end at the application", SOON, || endless.open() == 0)?;
            assert!(since.elapsed() < CUT_WITHIN, "{protocol}: {:?}", since.elapsed());
            if protocol == "h2" {
                until("the reset", SOON, || !resets(&raw).is_empty())?;
                assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
                // Its neighbours on the connection go on.
                let line = ("GET", &*scene.authority("endless"), "/");
                raw.send(h2::request(3, END_STREAM, line, &[("cookie", &cookie)]));
                let is_answer = |frame: Frame| frame.stream == 3 && h2::status(&frame) == Some(200);
                raw.until("a neighbour", |heard| h2::frames(heard).into_iter().any(is_answer).then_some(()))?;
            }
            alice.fetch(&scene.url("endless", "/"))?.expect(200)?;
            scene.world.owner.apply("kind: absent\nobject: policy\nname: no-end\n")?.expect(0)?;
            let is_back = || {
                let asked = Visitor::fetch(&alice, &scene.url("endless", "/"));
                asked.is_ok_and(|answer| answer.status == 200)
            };
            until("the right back", SOON, is_back)?;
        }
        Ok(())
    })
}

#[test]
fn an_endless_download_over_http2_ends_with_the_right_to_it() -> Result<()> {
    scenario("apps-endless-h2", |scratch| {
        let scene = Scene::start(scratch)?;
        let endless = Endless::start()?;
        let (alice, _) = begin(&scene, &endless)?;
        let arguments = ["--http2", "--output", "/dev/null", &scene.url("endless", "/endless")];
        let mut transfer = Process::start("transfer", alice.curl(&arguments)?, alice.home())?;
        until("the answer under way", SOON, || endless.open() == 1)?;
        let since = Instant::now();
        scene.revoke()?;
        until("the end at the application", SOON, || endless.open() == 0)?;
        let ended = transfer.wait(SOON)?;
        assert!(!ended.success(), "{ended}: {}", transfer.log());
        assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
        Ok(())
    })
}
