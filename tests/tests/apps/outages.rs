//! What people are told when a part is away, and what goes on without it.

use crate::support::{NAVIGATE, SOON, code, open_websocket};
use anyhow::{Context, Result};
use postern_tests::apps::{Hostile, Scene, options};
use postern_tests::{GatewayOptions, Manner, Postgres, Target, free_port, postgres, scenario, until};
use std::time::{Duration, Instant};

#[test]
fn f19_a_failing_application_is_told_apart_from_a_failing_way_to_it() -> Result<()> {
    scenario("apps-f19", |scratch| {
        let mut scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let (silent, reset) = (Target::start(Manner::Silent)?, Target::start(Manner::Reset)?);
        let half = Hostile::saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
        let nothing = format!("127.0.0.1:{}", free_port()?);
        scene.publish("silent", &silent.address().to_string(), "{timeouts: {response_s: 1}}")?;
        scene.publish("reset", &reset.address().to_string(), "{}")?;
        scene.publish("refused", &nothing, "{}")?;
        scene.publish("half", &half.target(), "{}")?;
        for (app, status, expected) in
            [("refused", 502, "target_unreachable"), ("reset", 502, "bad_answer"), ("silent", 504, "timeout")]
        {
            let page = alice.visit(&scene.url(app, "/x"))?.expect(status)?;
            assert!(page.body.contains("req_") && page.body.contains(app), "{}", page.body);
            let problem = alice.fetch(&scene.url(app, "/x"))?.expect(status)?;
            assert_eq!(code(&problem)?, expected, "{}", problem.body);
        }
        // A body that breaks off is never whole.
        alice.visit(&scene.url("half", "/.postern/sign-in?next=/.postern/whoami"))?;
        let broken = alice.curl(&["--include", &scene.url("half", "/")])?.output()?;
        assert!(!broken.status.success(), "{}", String::from_utf8_lossy(&broken.stdout));
        // The connector goes: the page says that, and the application is back when it is.
        scene.world.connector.kill()?;
        let offline =
            || alice.fetch(&scene.url("alpha", "/headers")).is_ok_and(|answer| answer.status == 503);
        until("the connector offline", SOON, offline)?;
        let page = alice.browser.send(&scene.url("alpha", "/"), &NAVIGATE, None)?.expect(503)?;
        assert!(page.body.contains("req_"), "{}", page.body);
        assert_eq!(code(&alice.fetch(&scene.url("alpha", "/"))?)?, "no_connector");
        scene.world.connector.run()?;
        let back = || alice.fetch(&scene.url("alpha", "/headers")).is_ok_and(|answer| answer.status == 200);
        until("the application back", SOON, back)?;
        Ok(())
    })
}

#[test]
fn people_who_are_signed_in_go_on_while_the_database_is_away() -> Result<()> {
    scenario("apps-database", |scratch| {
        let mut server = Postgres::start()?;
        let store = postgres::fresh_database(&server.url("postgres"))?;
        let options = GatewayOptions { store: Some(store), ..options()? };
        let scene = Scene::start_with(scratch, &options)?;
        let alice = scene.alice()?;
        let mut socket = open_websocket(&scene, &alice)?;
        server.crash()?;
        let slowest = (0..20).map(|_| {
            let began = Instant::now();
            let answer = alice.fetch(&scene.url("alpha", "/headers")).and_then(|answer| answer.expect(200));
            answer.map(|_| began.elapsed())
        });
        let slowest = slowest.collect::<Result<Vec<Duration>>>()?.into_iter().max().unwrap_or_default();
        assert!(slowest < Duration::from_secs(1), "a request waited {slowest:?} for the database");
        socket.send("still here");
        socket.until("still here")?;
        // A session at an application where she was not yet cannot begin at the gateway's page; it says so.
        let page = alice.visit(&scene.url("beta", "/"))?.page.context("led elsewhere")?;
        assert!(page.status == 503 || page.status == 200, "{} {}", page.status, page.body);
        server.restart()?;
        let back = || alice.visit(&scene.url("beta", "/")).is_ok_and(|arrived| arrived.expect(200).is_ok());
        until("beta after the database is back", SOON, back)?;
        assert!(!socket.is_closed());
        Ok(())
    })
}
