//! Programs that show a token: whose word it is, what the application sees of it, and when it is dead.

use crate::support::{CUT_WITHIN, SOON, headers, one};
use anyhow::{Context, Result};
use postern_tests::apps::Scene;
use postern_tests::curl::{Answer, Browser};
use postern_tests::{ConnectProxy, eventually, scenario, tools};
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

#[test]
fn who_am_i_is_answered_to_programs_too() -> Result<()> {
    scenario("apps-token-whoami", |scratch| {
        let scene = Scene::start(scratch)?;
        let (token, _) = token(&scene, &["--expires", "1h"])?;
        let told =
            show(&scene, "alpha", "/.postern/whoami", &[&format!("Bearer {token}")])?.expect(200)?.json()?;
        assert_eq!((&told["signed_in"], &told["name"]), (&true.into(), &"alice".into()), "{told}");
        assert!(told["expires_at"].is_i64(), "{told}");
        assert_eq!(show(&scene, "beta", "/.postern/whoami", &[&format!("Bearer {token}")])?.status, 403);
        assert_eq!(show(&scene, "alpha", "/.postern/whoami", &[&format!("Bearer {token}x")])?.status, 401);
        let nobody = show(&scene, "alpha", "/.postern/whoami", &["Bearer theirs"])?.expect(401)?.json()?;
        assert_eq!(nobody["signed_in"], false, "{nobody}");
        Ok(())
    })
}

#[test]
fn a_registry_that_asks_for_tokens_of_its_own_is_heard_and_answered_as_docker_does() -> Result<()> {
    scenario("apps-docker", |scratch| {
        let scene = Scene::start(scratch)?;
        // The registry lets nobody in by itself, so the gateway leaves this part of it to its own tokens.
        scene.publish(
            "alpha",
            &scene.app.target(),
            "{public: [{path: \"/v2/*\", methods: [GET, HEAD, PUT]}]}",
        )?;
        let is_asked = || {
            show(&scene, "alpha", "/v2/", &[])
                .ok()
                .filter(|asked| asked.header("docker-distribution-api-version").is_some())
        };
        let (asked, _) = eventually("the registry to ask", SOON, is_asked)?;
        assert_eq!(asked.status, 401);
        let challenge = "Bearer realm=\"https://auth.example/token\",service=\"registry\"";
        assert_eq!(asked.header("www-authenticate"), Some(challenge), "as the registry said it");
        let theirs = "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
        let told = headers(
            &show(&scene, "alpha", "/v2/team/image/manifests/latest", &[theirs])?.expect(200)?.json()?,
        );
        assert_eq!(one(&told, "authorization"), Some(theirs));
        assert_eq!(one(&told, "x-postern-user"), None, "nobody that the gateway knows");
        Ok(())
    })
}

#[test]
fn postern_curl_leaves_a_network_through_its_proxy() -> Result<()> {
    scenario("apps-curl-proxy", |scratch| {
        let scene = Scene::start(scratch)?;
        let proxy = ConnectProxy::start()?;
        let alice = scene.world.alice.clone().with_environment("HTTPS_PROXY", &proxy.url());
        let url = scene.url("alpha", "/headers");
        let curl = ["curl", &url, "--", "--silent", "--fail"];
        alice.clone().with_environment("NO_PROXY", "127.0.0.1,.localhost").run(&curl)?.expect(0)?;
        assert_eq!(proxy.asked(), Vec::<String>::new(), "an exception is honored");
        alice.with_environment("NO_PROXY", "").run(&curl)?.expect(0)?;
        let asked = proxy.asked();
        for place in [scene.gateway().public_address(), &scene.authority("alpha")] {
            assert!(
                asked.iter().any(|asked| asked == place),
                "{place} was reached past the proxy: {asked:?}"
            );
        }
        Ok(())
    })
}
