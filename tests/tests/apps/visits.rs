//! Coming, signing in, going: in one chain of redirects, at each application once, and at none after the end.

use crate::support::{NAVIGATE, code};
use anyhow::{Context, Result};
use postern_tests::apps::{Scene, Visitor};
use postern_tests::world::ALICE;
use postern_tests::{eventually, scenario, until};
use std::time::Duration;

const ORDER: &str = "Content-Type: application/x-www-form-urlencoded";
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_first_visit_leads_to_sign_in_and_back_to_the_very_address() -> Result<()> {
    scenario("apps-visit", |scratch| {
        let scene = Scene::start(scratch)?;
        let deep = scene.url("alpha", "/deep/link;v=1?q=a%2Fb&q=%20&empty=#part");
        let wanted = deep.split('#').next().unwrap_or_default();
        let alice = scene.visitor("alice", ALICE)?;
        let arrived = alice.visit(wanted)?;
        assert_eq!(arrived.at, wanted);
        assert!(arrived.expect(200)?.body.contains("<b id=\"user\">alice</b>"));
        // The second application asks for nothing: who has no password arrives all the same.
        let signed_in = scene.visitor("alice", (ALICE.0, "no longer needed"))?;
        let second = scene.url("beta", "/other?x=1");
        let arrived = signed_in.visit(&second)?;
        assert_eq!(arrived.at, second);
        arrived.expect(200)?;
        let seen = scene.app.seen()?;
        assert_eq!(seen, ["GET /deep/link;v=1?q=a%2Fb&q=%20&empty=", "GET /other?x=1"], "and nothing before");
        Ok(())
    })
}

#[test]
fn o14_programs_are_told_401_and_never_led_elsewhere() -> Result<()> {
    scenario("apps-o14", |scratch| {
        let scene = Scene::start(scratch)?;
        let nobody = scene.visitor("nobody", ALICE)?;
        let url = scene.url("alpha", "/api?secret=1");
        for headers in [
            &["Accept: application/json"][..],
            &["Accept: text/html", "X-Requested-With: XMLHttpRequest"],
            &["Accept: text/html", "Sec-Fetch-Mode: cors"],
            &["Accept: text/html", "Sec-Fetch-Mode: no-cors"],
        ] {
            let answer = nobody.browser.send(&url, headers, None)?.expect(401)?;
            assert_eq!(answer.header("location"), None, "{headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{headers:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{headers:?}");
            assert!(!answer.body.contains("secret") && !answer.body.contains("token"), "{}", answer.body);
        }
        assert_eq!(scene.app.seen()?, Vec::<String>::new());
        Ok(())
    })
}

/// The address at an application that ends a hand-over, not yet opened.
fn hand_over(scene: &Scene, visitor: &Visitor, app: &str) -> Result<String> {
    let asked = visitor.browser.navigate(&scene.url(app, "/"))?.expect(303)?;
    let request = asked.header("location").context("not led to the gateway")?.to_owned();
    assert!(request.starts_with(scene.gateway().url()), "{request}");
    let answer = visitor.browser.navigate(&request)?;
    let back = answer.header("location").with_context(|| answer.body.clone())?.to_owned();
    anyhow::ensure!(back.starts_with(&scene.url(app, "/.postern/hand-over?code=")), "{back}");
    Ok(back)
}

#[test]
fn o15_a_hand_over_is_good_once_at_one_host_in_one_browser() -> Result<()> {
    scenario("apps-o15", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let code = hand_over(&scene, &alice, "beta")?;
        let refused = |visitor: &Visitor, url: &str| -> Result<()> {
            let answer = visitor.browser.navigate(url)?.expect(400).with_context(|| url.to_owned())?;
            assert!(answer.header("set-cookie").is_none(), "{:?}", answer.headers);
            let program = visitor.fetch(url)?.expect(400)?;
            assert_eq!(program.json()?["code"], "handoff_invalid");
            Ok(())
        };
        // Somebody else's browser, which goes its own way even where it began one; another application; no code, half a code, a code of their own making.
        refused(&scene.visitor("mallory", ALICE)?, &code)?;
        refused(&alice, &code.replace("//beta.", "//alpha."))?;
        let half = code.get(..code.len() - 10).unwrap_or_default();
        for bad in [
            half,
            &scene.url("beta", "/.postern/hand-over"),
            &scene.url("beta", "/.postern/hand-over?code=x"),
        ] {
            refused(&alice, bad)?;
        }
        refused(&alice, &format!("{code}&code=x"))?;
        // In the right place it is good, and then it is not.
        let arrived = alice.browser.navigate(&code)?.expect(303)?;
        assert_eq!(arrived.header("location"), Some("/"));
        refused(&alice, &code)?;
        alice.fetch(&scene.url("beta", "/headers"))?.expect(200)?;
        // What the gateway itself is asked with cannot be made or altered either.
        let asked = alice.browser.navigate(&scene.url("alpha", "/.postern/sign-in"))?.expect(303)?;
        let request = asked.header("location").context("not led")?.to_owned();
        let altered = request.get(..request.len() - 6).unwrap_or_default();
        for bad in [
            altered,
            &format!("{}/hand-over", scene.gateway().url()),
            &request.replace("request=", "request=A"),
        ] {
            let answer = alice.browser.navigate(bad)?;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{bad}");
        }
        Ok(())
    })
}

#[test]
fn c02_a_cookie_of_one_application_is_worth_nothing_anywhere_else() -> Result<()> {
    scenario("apps-c02", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let cookie = alice.cookie_line(&scene.authority("alpha"))?;
        let nobody = scene.visitor("nobody", ALICE)?;
        let with = |url: &str, cookie: &str| nobody.browser.send(url, &[&format!("Cookie: {cookie}")], None);
        with(&scene.url("alpha", "/headers"), &cookie)?.expect(200)?;
        let value = cookie.split_once('=').map(|(_, value)| value).unwrap_or_default();
        for (url, cookie) in [
            (scene.url("beta", "/headers"), cookie.clone()),
            (scene.url("beta", "/.postern/whoami"), cookie.clone()),
            (format!("{}/api/v1/me", scene.gateway().url()), cookie.clone()),
            (format!("{}/api/v1/me", scene.gateway().url()), format!("__Host-postern={value}")),
            (format!("{}/api/v1/me", scene.gateway().url()), format!("__Host-postern-session={value}")),
        ] {
            with(&url, &cookie)?.expect(401).with_context(|| format!("{url} {cookie}"))?;
        }
        let authority = scene.authority("beta");
        let line = [format!("Cookie: {cookie}")];
        let socket = postern_tests::apps::WebSocket::open(scene.gateway(), &authority, "/echo", &line)?;
        assert_eq!(socket.status(), 401, "{}", socket.head);
        // C8: not one letter may be another. C3: two of one name are nobody's.
        for at in (cookie.len() - value.len()..cookie.len()).step_by(7) {
            let mut letters: Vec<char> = cookie.chars().collect();
            if let Some(letter) = letters.get_mut(at) {
                *letter = if *letter == 'A' { 'B' } else { 'A' };
            }
            let altered: String = letters.into_iter().collect();
            with(&scene.url("alpha", "/headers"), &altered)?.expect(401)?;
        }
        let twice =
            with(&scene.url("alpha", "/headers"), &format!("__Host-postern-app=; {cookie}"))?.expect(400)?;
        assert_eq!(code(&twice)?, "cookie_ambiguous");
        let reached = scene.app.seen()?.iter().filter(|line| *line == "GET /headers").count();
        assert_eq!(reached, 1, "the application saw a request that was nobody's");
        Ok(())
    })
}

#[test]
fn o10_signing_out_at_one_application_ends_every_other_and_stays() -> Result<()> {
    scenario("apps-sign-out", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        alice.visit(&scene.url("beta", "/"))?.expect(200)?;
        let kept = alice.cookie_line(&scene.authority("beta"))?;
        let address = scene.url("alpha", "/.postern/sign-out");
        let page = alice.browser.navigate(&address)?.expect(200)?;
        assert!(page.body.contains("alice"), "{}", page.body);
        // A page of somebody else cannot sign her out.
        let foreign = [ORDER, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", NAVIGATE[1]];
        alice.browser.send(&address, &foreign, Some(("POST", "")))?.expect(403)?;
        alice.fetch(&scene.url("beta", "/headers"))?.expect(200)?;
        let out = alice.browser.post_form(&address, &[])?.expect(303)?;
        let to = out.header("location").context("not led to the gateway")?.to_owned();
        assert!(to.starts_with(scene.gateway().url()), "{to}");
        for cookie in out.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value) {
            assert!(
                cookie.contains("Secure") && cookie.contains("Path=/") && cookie.contains("Max-Age=0"),
                "{cookie}"
            );
        }
        let nobody = scene.visitor("nobody", ALICE)?;
        let replayed = || {
            let line = format!("Cookie: {kept}");
            nobody
                .browser
                .send(&scene.url("beta", "/headers"), &[&line], None)
                .is_ok_and(|answer| answer.status == 401)
        };
        until("the end at beta", Duration::from_secs(1), replayed)?;
        alice.fetch(&scene.url("alpha", "/headers"))?.expect(401)?;
        // The gateway's own page knows nobody any more: the next visit asks for the password.
        let stranger = scene.visitor("alice", (ALICE.0, "wrong"))?;
        let led = stranger.visit(&scene.url("alpha", "/"));
        assert!(led.is_err() || led.is_ok_and(|arrived| !arrived.at.contains("alpha.")));
        Ok(())
    })
}

#[test]
fn a_form_that_meets_an_ended_sign_in_is_seen_exactly_once_when_it_is_sent_again() -> Result<()> {
    scenario("apps-form", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        scene.world.owner.run(&["users", "disable", "alice"])?.expect(0)?;
        scene.world.owner.run(&["users", "enable", "alice"])?.expect(0)?;
        let ended = || alice.fetch(&scene.url("alpha", "/headers")).is_ok_and(|answer| answer.status == 401);
        until("the end of the sign-in", SOON, ended)?;
        let url = scene.url("alpha", "/count");
        let order = [("what", "an order")];
        let page = alice.browser.post_form(&url, &order)?.expect(401)?;
        assert!(page.header("location").is_none() && page.body.contains("<title>"), "{}", page.body);
        assert_eq!(scene.app.posted()?.len(), 0);
        // In another tab; then the first one is reloaded, which sends the form again.
        alice.visit(&scene.url("alpha", "/"))?.expect(200)?;
        alice.browser.post_form(&url, &order)?.expect(200)?;
        assert_eq!(scene.app.posted()?, ["what=an%20order"]);
        Ok(())
    })
}

#[test]
fn a_denial_says_why_and_names_a_decision_that_can_be_explained() -> Result<()> {
    scenario("apps-denied", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        scene.revoke()?;
        let page = eventually("the denial", SOON, || {
            alice.browser.navigate(&scene.url("alpha", "/private")).ok().filter(|page| page.status == 403)
        })?
        .0;
        assert!(page.body.contains("alice") && page.body.contains("alpha"), "{}", page.body);
        let decision = page
            .body
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .find(|word| word.starts_with("dec_"))
            .context("the page names no decision")?;
        let told = || scene.world.owner.run(&["explain", decision]).ok().filter(|ran| ran.code == 0);
        let (why, _) = eventually("the record in the store", SOON, told)?;
        assert!(why.stdout.contains("alice") && why.stdout.contains("alpha"), "{}", why.stdout);
        let problem = alice.fetch(&scene.url("alpha", "/private"))?.expect(403)?;
        assert!(
            problem.json()?["decision"].as_str().is_some_and(|id| id.starts_with("dec_")),
            "{}",
            problem.body
        );
        assert!(!scene.app.seen()?.contains(&"GET /private".to_owned()));
        Ok(())
    })
}
