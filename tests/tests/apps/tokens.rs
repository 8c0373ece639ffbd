//! Programs that show a token: whose word it is, what the application sees of it, and when it is dead.

use crate::support::{CUT_WITHIN, SOON, headers, one};
use anyhow::{Context, Result};
use postern_tests::apps::Scene;
use postern_tests::curl::{Answer, Browser};
use postern_tests::{eventually, scenario, tools};
use std::process::Stdio;
use std::time::Instant;

/// A program without cookies that shows this.
fn show(scene: &Scene, app: &str, path: &str, authorization: &[&str]) -> Result<Answer> {
    let program = Browser::new(&scene.gateway().authority(), std::path::Path::new("/dev"));
    let lines: Vec<String> = authorization.iter().map(|value| format!("Authorization: {value}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    program.send(&scene.url(app, path), &lines, None)
}

/// A token of alice's, and its id.
fn token(scene: &Scene, more: &[&str]) -> Result<(String, String)> {
    let mut command = vec!["token", "create", "alpha"];
    command.extend(more);
    let made = scene.world.alice.json(&command)?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("token");
    Ok((text("token")?, text("id")?))
}

#[test]
fn d09_a_token_is_its_owners_word_at_one_application_which_never_sees_it() -> Result<()> {
    scenario("apps-token", |scratch| {
        let scene = Scene::start(scratch)?;
        let (token, _) = token(&scene, &["--note", "laptop", "--expires", "1h"])?;
        let bearer = format!("Bearer {token}");
        let told = show(&scene, "alpha", "/headers", &[&bearer])?.expect(200)?.json()?;
        let told = headers(&told);
        assert_eq!(one(&told, "x-postern-user"), Some("alice"), "{told:?}");
        assert!(one(&told, "x-postern-jwt-assertion").is_some() && one(&told, "authorization").is_none());
        assert!(told.iter().all(|(_, value)| !value.contains("pst_")), "{told:?}");

        assert_eq!(show(&scene, "beta", "/headers", &[&bearer])?.status, 403);
        assert_eq!(show(&scene, "alpha", "/headers", &[&bearer, "Bearer theirs"])?.status, 400);
        let mistyped = format!("{bearer}x");
        assert_eq!(show(&scene, "alpha", "/headers", &[&mistyped])?.status, 401);
        assert_eq!(
            show(&scene, "alpha", "/headers", &["Bearer theirs"])?.status,
            401,
            "nobody is known by it"
        );

        let listed = scene.world.alice.run(&["token", "list"])?.expect(0)?.stdout;
        assert!(listed.contains("laptop") && !listed.contains("pst_"), "{listed}");
        Ok(())
    })
}

#[test]
fn any_other_authorization_reaches_the_application_as_it_came() -> Result<()> {
    scenario("apps-authorization", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = scene.alice()?;
        let cookie = format!("Cookie: {}", alice.cookie_line(&scene.authority("alpha"))?);
        let nobody = scene.visitor("nobody", ("nobody", ""))?;
        for theirs in ["Bearer eyJ0.e30.x", "Basic YWRtaW46YWRtaW4=", "token abc"] {
            let line = format!("Authorization: {theirs}");
            let told = nobody.browser.send(&scene.url("alpha", "/headers"), &[&cookie, &line], None)?;
            assert_eq!(one(&headers(&told.expect(200)?.json()?), "authorization"), Some(theirs));
        }
        Ok(())
    })
}

#[test]
fn a_token_is_a_password_only_where_the_application_takes_it() -> Result<()> {
    scenario("apps-basic", |scratch| {
        let scene = Scene::start(scratch)?;
        let (token, _) = token(&scene, &[])?;
        let fetch = || -> Result<String> {
            let mut curl = tools::command("curl")?;
            curl.args(["--disable", "--silent", "--include", "--noproxy", "*", "--cacert"]);
            curl.arg(scene.gateway().authority())
                .arg("--config")
                .arg("-")
                .arg(scene.url("alpha", "/headers"));
            let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let config = format!("user = \"anybody:{token}\"\n");
            std::io::Write::write_all(&mut curl.stdin.take().context("stdin")?, config.as_bytes())?;
            Ok(String::from_utf8_lossy(&curl.wait_with_output()?.stdout).into_owned())
        };
        let refused = fetch()?;
        assert!(
            refused.contains(" 401") && !refused.to_ascii_lowercase().contains("authenticate: basic"),
            "{refused}"
        );
        scene.publish("alpha", &scene.app.target(), "{basic_tokens: true}")?;
        eventually("the password to be taken", SOON, || fetch().ok().filter(|told| told.contains(" 200")))?;
        let asked = show(&scene, "alpha", "/headers", &[])?;
        assert_eq!(asked.status, 401);
        assert!(
            asked.header("www-authenticate").is_some_and(|asked| asked.starts_with("Basic")),
            "git waits for it"
        );
        Ok(())
    })
}

#[test]
fn a07_a_revoked_token_and_one_of_a_disabled_owner_are_dead_within_a_second() -> Result<()> {
    scenario("apps-token-dead", |scratch| {
        let scene = Scene::start(scratch)?;
        let status = |token: &str| {
            show(&scene, "alpha", "/headers", &[&format!("Bearer {token}")]).map_or(0, |answer| answer.status)
        };
        let dies = |token: &str, since: Instant| -> Result<()> {
            eventually("the token to be dead", SOON, || (status(token) == 401).then_some(()))?;
            assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
            Ok(())
        };
        let (revoked, id) = token(&scene, &[])?;
        let (kept, _) = token(&scene, &[])?;
        assert_eq!([status(&revoked), status(&kept)], [200, 200]);
        let began = Instant::now();
        scene.world.alice.run(&["token", "revoke", &id])?.expect(0)?;
        dies(&revoked, began)?;
        assert_eq!(status(&kept), 200);
        let began = Instant::now();
        scene.world.owner.run(&["users", "disable", "alice"])?.expect(0)?;
        dies(&kept, began)?;
        Ok(())
    })
}

#[test]
fn postern_curl_is_curl_as_the_person_and_leaves_no_token_behind() -> Result<()> {
    scenario("apps-curl", |scratch| {
        let scene = Scene::start(scratch)?;
        let alice = &scene.world.alice;
        let url = scene.url("alpha", "/headers");
        let told =
            alice.run(&["curl", &url, "--", "--silent", "--header", "X-Mine: 1"])?.expect(0)?.json()?;
        let told = headers(&told);
        assert_eq!(
            (one(&told, "x-postern-user"), one(&told, "x-mine")),
            (Some("alice"), Some("1")),
            "{told:?}"
        );
        let missing =
            alice.run(&["curl", &scene.url("alpha", "/.postern/missing"), "--", "--silent", "--fail"])?;
        assert_eq!((missing.code, missing.stderr.as_str()), (22, ""), "curl's own exit code");
        let left = alice.json(&["token", "list"])?;
        assert_eq!(left.as_array().map(Vec::len), Some(0), "{left}");
        assert_eq!(alice.run(&["curl", "https://elsewhere.example/"])?.code, 69);
        assert_eq!(alice.run(&["curl", "http://alpha.example/"])?.code, 64);
        Ok(())
    })
}
