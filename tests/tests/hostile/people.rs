//! What people and programs send to the API and to the pages of the gateway.

use super::access_token;
use anyhow::{Context, Result};
use postern_tests::pages::approve;
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{Gateway, GatewayOptions, World, curl, scenario, tools};
use serde_json::json;
use std::path::Path;

#[test]
fn a02_fields_that_nobody_asked_for_are_refused_by_name() -> Result<()> {
    scenario("a02", |scratch| {
        let world = World::start(scratch)?;
        let browser = world.gateway.browser(scratch.path()).with_bearer(&access_token(&world.owner)?);
        let url = format!("{}/api/v1/apply", world.gateway.url());
        for document in [
            json!({"kind": "user", "name": "eve", "role": "owner"}),
            json!({"kind": "group", "name": "g", "id": "grp_1"}),
            json!({"kind": "user", "name": "eve", "created_at": "2026-01-01T00:00:00Z"}),
        ] {
            let answer = browser.send_json("POST", &url, &json!({"documents": [document]}))?.expect(422)?;
            assert_eq!(answer.json()?["code"], "unknown_field", "{}", answer.body);
        }
        let twice = r#"{"documents":[{"kind":"group","name":"one","name":"two"}]}"#;
        let answer = browser.send(&url, &["Content-Type: application/json"], Some(("POST", twice)))?;
        assert!(answer.status == 422 || answer.status == 400, "{} {}", answer.status, answer.body);
        let groups = world.owner.run(&["get", "groups"])?.expect(0)?.stdout;
        assert!(!groups.contains("two") && !groups.contains("one"), "{groups}");
        Ok(())
    })
}

#[test]
fn a04_fifty_bootstraps_at_once_make_one_owner() -> Result<()> {
    scenario("a04", |scratch| {
        let gateway =
            Gateway::start(&tools::programs()?, &scratch.join("gateway"), &GatewayOptions::of_the_run()?)?;
        let token = std::fs::read_to_string(gateway.bootstrap_file())?;
        let url = format!("{}/api/v1/bootstrap", gateway.url());
        let browser = gateway.browser(scratch.path());
        let callers = (0..50).map(|number| {
            let (browser, url) = (browser.clone(), url.clone());
            let body =
                json!({"token": token.trim(), "username": format!("owner{number}"), "password": OWNER.1});
            std::thread::spawn(move || browser.send_json("POST", &url, &body).map(|answer| answer.status))
        });
        let mut statuses = Vec::new();
        for caller in callers.collect::<Vec<_>>() {
            statuses.push(caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??);
        }
        let made = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(made, 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| *status < 500 || *status == 503), "{statuses:?}");
        Ok(())
    })
}

#[test]
fn a04_the_last_owner_cannot_be_locked_out() -> Result<()> {
    scenario("a04-last", |scratch| {
        let world = World::start(scratch)?;
        assert_ne!(world.owner.run(&["users", "disable", OWNER.0])?.code, 0);
        world.owner.run(&["whoami"])?.expect(0)?;
        world.owner.apply("kind: group\nname: still-an-owner\n")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn a05_no_second_owner_comes_from_starting_again_or_from_a_wrong_token() -> Result<()> {
    scenario("a05", |scratch| {
        let mut world = World::start(scratch)?;
        world.gateway.restart()?;
        assert!(!world.gateway.bootstrap_file().exists(), "a store with an owner made a token");
        let url = format!("{}/api/v1/bootstrap", world.gateway.url());
        let body = json!({"token": "psb_guessed", "username": "mallory", "password": OWNER.1});
        let answer = world.gateway.browser(scratch.path()).send_json("POST", &url, &body)?;
        assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.body);
        Ok(())
    })
}

#[test]
fn a09_guessing_passwords_is_slowed_down_and_tells_nothing_about_names() -> Result<()> {
    scenario("a09", |scratch| {
        let world = World::start(scratch)?;
        let known = guess(&world, scratch.path(), ALICE.0)?;
        let unknown = guess(&world, scratch.path(), "nobody")?;
        assert_eq!(
            known.first().map(without_flow),
            unknown.first().map(without_flow),
            "the answers tell names apart"
        );
        assert!(known.iter().any(|(status, _)| *status == 429), "20 guesses met no limit");
        Ok(())
    })
}

#[test]
fn c05_a_form_from_another_site_is_refused() -> Result<()> {
    scenario("c05", |scratch| {
        let world = World::start(scratch)?;
        let browser = world.gateway.browser(scratch.path());
        for path in ["/sign-in", "/device"] {
            let url = format!("{}{path}", world.gateway.url());
            let page = browser.get(&url)?;
            let fields = curl::form(&page.body).map(|form| form.fields).unwrap_or_default();
            let body: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", curl::encode(value))).collect();
            for headers in [
                vec!["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"],
                vec!["Origin: null"],
                vec!["Origin: https://evil.example"],
            ] {
                let mut all = vec!["Content-Type: application/x-www-form-urlencoded"];
                all.extend(headers);
                let answer = browser.send(&url, &all, Some(("POST", &body.join("&"))))?;
                assert_eq!(answer.status, 403, "{path} {all:?}: {}", answer.body);
            }
        }
        Ok(())
    })
}

#[test]
fn c07_pages_forbid_frames_scripts_and_sniffing() -> Result<()> {
    scenario("c07", |scratch| {
        let world = World::start(scratch)?;
        let browser = world.gateway.browser(scratch.path());
        let device = format!("{}/device?user_code=BCDF-GHJK", world.gateway.url());
        // Signs the browser in; no device waits with that code, which the last page says.
        let _ = approve(&browser, &device, ALICE.0, ALICE.1);
        for path in ["/sign-in", "/device", "/device?user_code=%3Cscript%3Ealert(1)%3C/script%3E"] {
            let page = browser.get(&format!("{}{path}", world.gateway.url()))?;
            let policy = page.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
            assert!(!page.body.contains("<script"), "{path} carries a script");
        }
        Ok(())
    })
}

/// Twenty wrong passwords; the status and text of each answer.
fn guess(world: &World, directory: &Path, name: &str) -> Result<Vec<(u16, String)>> {
    let browser = world.gateway.browser(directory);
    let url = format!("{}/sign-in", world.gateway.url());
    let mut answers = Vec::new();
    for number in 0..20 {
        let page = browser.get(&url)?;
        let form = curl::form(&page.body).context("the sign-in page has no form")?;
        let fields: Vec<(String, String)> = form
            .fields
            .into_iter()
            .map(|(field, value)| match field.as_str() {
                "username" => (field, name.to_owned()),
                "password" => (field, format!("wrong {number}")),
                _ => (field, value),
            })
            .collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let answer = browser.post_form(&url, &fields)?;
        answers.push((answer.status, answer.body.replace(name, "NAME")));
    }
    Ok(answers)
}

/// An answer without what differs from page to page by design.
fn without_flow(answer: &(u16, String)) -> (u16, String) {
    let mut text = answer.1.clone();
    if let Some(form) = curl::form(&text) {
        for (_, value) in form.fields.iter().filter(|(_, value)| value.len() > 8) {
            text = text.replace(value.as_str(), "…");
        }
    }
    (answer.0, text)
}
