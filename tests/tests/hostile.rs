//! Hostile input at the real doors: each test bears the id of its row in the threat catalogue.

use anyhow::{Context, Result};
use postern_tests::pages::approve;
use postern_tests::world::{self, ALICE, OWNER};
use postern_tests::{
    Client, Connector, Gateway, GatewayOptions, Manner, Process, Signal, Target, World, curl, postgres,
    scenario, tools, until,
};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

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

#[test]
fn o13_no_secret_shows_in_arguments_and_token_files_are_private() -> Result<()> {
    scenario("o13", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let held = world.hold(&world.alice, scratch.path(), "echo")?;
        until("the session at the target", SOON, || target.open() == 1)?;
        let secrets = secrets_below(&world.alice.home().join("postern"))?;
        assert!(!secrets.is_empty(), "no token was found, so nothing is shown");
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{}/{file}", held.pid()))?;
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "a token in {file}");
        }
        let mode = std::fs::metadata(world.alice.home().join("postern"))?.permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{mode:o}");
        Ok(())
    })
}

#[test]
fn s02_names_that_a_shell_or_ssh_would_obey_are_refused_as_wrong_usage() -> Result<()> {
    scenario("s02", |scratch| {
        let world = World::start(scratch)?;
        let proof = scratch.join("proof");
        for name in [
            format!("`touch {}`", proof.display()),
            format!("$(touch {})", proof.display()),
            "bastion\ntouch".to_owned(),
            "-oProxyCommand=touch".to_owned(),
            "bastion;id".to_owned(),
            "bas tion".to_owned(),
        ] {
            for verb in ["proxy", "ssh"] {
                let ran = world.alice.run(&[verb, "--", &name])?;
                assert_eq!(ran.code, 64, "{verb} {name:?}: {}", ran.stderr);
                assert_eq!(ran.stdout, "");
            }
        }
        assert!(!proof.exists());
        Ok(())
    })
}

#[test]
fn l01_what_strangers_send_stays_on_one_line_of_the_log() -> Result<()> {
    scenario("l01", |scratch| {
        let options = GatewayOptions::of_the_run()?.set("log.format", "json");
        let world = World::start_with(scratch, &options)?;
        let browser = world.gateway.browser(scratch.path());
        let big = "A".repeat(20_000);
        for agent in ["\u{1b}[31mred\u{202e}", "x\",\"level\":\"ERROR\",\"y\":\"", big.as_str()] {
            let header = format!("User-Agent: {agent}");
            // The connection may be closed on such a header; the log is what counts.
            let _ = browser.send(&format!("{}/api/v1/me", world.gateway.url()), &[&header], None);
        }
        let mut lines = 0;
        for line in world.gateway.log().lines().filter(|line| !line.trim().is_empty()) {
            // The bootstrap token is told to the terminal, beside the log.
            if !line.starts_with('{') {
                continue;
            }
            serde_json::from_str::<Value>(line).with_context(|| line.to_owned())?;
            assert!(line.len() < 16 * 1024 && !line.contains('\u{1b}'), "{line}");
            lines += 1;
        }
        assert!(lines > 0, "no log, so nothing is shown");
        Ok(())
    })
}

#[test]
fn l02_no_secret_of_a_whole_day_is_in_any_log() -> Result<()> {
    scenario("l02", |scratch| {
        let options = GatewayOptions::of_the_run()?.set("log.level", "trace");
        let world = World::start_with(scratch, &options)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        let service = service_token(&world)?;
        let mut secrets = vec![OWNER.1.to_owned(), ALICE.1.to_owned(), service];
        for person in [&world.owner, &world.alice] {
            secrets.extend(secrets_below(&person.home().join("postern"))?);
        }
        secrets.push(std::fs::read_to_string(scratch.join("connector/enrolment-token"))?.trim().to_owned());
        for log in [world.gateway.log(), world.connector.log()] {
            for secret in &secrets {
                assert!(
                    !log.contains(secret.as_str()),
                    "a secret of {} characters is in a log",
                    secret.len()
                );
            }
        }
        Ok(())
    })
}

#[test]
fn l03_a_dump_of_the_database_holds_nothing_that_opens_a_door() -> Result<()> {
    scenario("l03", |scratch| {
        let world = World::start(scratch)?;
        let service = service_token(&world)?;
        let mut secrets = vec![OWNER.1.to_owned(), ALICE.1.to_owned(), service];
        for person in [&world.owner, &world.alice] {
            secrets.extend(secrets_below(&person.home().join("postern"))?);
        }
        let dump = match world.gateway.store_url() {
            Some(url) => dump(url)?,
            None => everything_below(world.gateway.state())?,
        };
        assert!(dump.contains("engineers-reach-office"), "the dump is not one of this store");
        for secret in &secrets {
            assert!(
                !dump.contains(secret.as_str()),
                "a secret of {} characters is in the store",
                secret.len()
            );
        }
        assert!(!dump.contains("BEGIN PRIVATE KEY"));
        Ok(())
    })
}

#[test]
fn l06_bad_configuration_is_refused_with_every_mistake_at_once() -> Result<()> {
    scenario("l06", |scratch| {
        let file = scratch.join("gateway.toml");
        std::fs::write(
            &file,
            "public_url = \"http://plain.example\"\nstate_dri = \"/tmp\"\n[listen]\nmode = \"tsl\"\n",
        )?;
        let mut check = std::process::Command::new(tools::programs()?.join("postern-gateway"));
        let output = check.args(["check-config", "--config"]).arg(&file).output()?;
        assert_eq!(output.status.code(), Some(78));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        for word in ["https", "state_dri", "state_dir", "tsl", "2", "4"] {
            assert!(text.contains(word), "{word} is not told: {text}");
        }
        Ok(())
    })
}

#[test]
fn l06_a_master_key_that_others_may_read_stops_the_start() -> Result<()> {
    scenario("l06-key", |scratch| {
        let programs = tools::programs()?;
        let mut gateway = Gateway::start(&programs, &scratch.join("gateway"), &GatewayOptions::embedded())?;
        gateway.kill()?;
        let key = gateway.state().join("master.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644))?;
        let mut serve = std::process::Command::new(programs.join("postern-gateway"));
        serve.arg("serve").arg("--config").arg(scratch.join("gateway/gateway.toml"));
        let mut refused = Process::start("refused", serve, scratch.path())?;
        assert_eq!(refused.wait(SOON)?.code(), Some(78), "{}", refused.log());
        assert!(refused.log().contains("master.key") && refused.log().contains("600"), "{}", refused.log());
        Ok(())
    })
}

#[test]
fn t11_an_enrolment_token_registers_one_connector() -> Result<()> {
    scenario("t11", |scratch| {
        let world = World::start(scratch)?;
        let used = std::fs::read_to_string(scratch.join("connector/enrolment-token"))?;
        let thief = Connector::unregistered(&tools::programs()?, &scratch.join("thief"))?;
        let output = thief.try_enroll(&used, &["127.0.0.1:*"])?;
        assert_eq!(output.status.code(), Some(77), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(world::online(&world.owner), 1);
        Ok(())
    })
}

#[test]
fn t11_a_copied_connector_is_noticed_and_the_newest_serves() -> Result<()> {
    scenario("t11-copy", |scratch| {
        let mut world = World::start(scratch)?;
        // Right after one instance came, another one has to wait: two that take over from each other would never end.
        let came = Instant::now();
        until("the end of the pause", SOON, || came.elapsed() > Duration::from_secs(6))?;
        let copy = scratch.directory("copy")?;
        let status =
            tools::command("cp")?.args(["-a"]).arg(scratch.join("connector/state")).arg(&copy).status()?;
        anyhow::ensure!(status.success(), "cp ended with {status}");
        let mut twin = Connector::unregistered(&tools::programs()?, &copy)?;
        twin.run()?;
        until("the alarm", SOON, || world.gateway.log().contains("connector.duplicate"))?;
        world.connector.await_log("4409", SOON)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        assert!(world.connector.process()?.is_running());
        Ok(())
    })
}

#[test]
fn t13_the_connector_dials_only_what_its_own_list_admits() -> Result<()> {
    scenario("t13", |scratch| {
        let mut world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.connector.stop(SOON)?;
        let sshd_only = format!("127.0.0.1:{}", world.sshd.port());
        let mut strict =
            world::enroll(&world.owner, &tools::programs()?, &scratch.join("strict"), &[&sshd_only])?;
        strict.run()?;
        world.await_connector()?;
        world.add_tcp("forbidden", &target.address().to_string())?;
        world.add_tcp("metadata", "169.254.169.254:80")?;
        for resource in ["forbidden", "metadata"] {
            let ran = world.alice.run(&["proxy", resource])?;
            assert_eq!(ran.code, 77, "{resource}: {}", ran.stderr);
            assert!(ran.stderr.contains("allow"), "the missing line is not named: {}", ran.stderr);
        }
        assert_eq!(target.connections(), 0);
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn t05_a_frozen_connector_is_found_out_within_ten_seconds() -> Result<()> {
    scenario("t05", |scratch| {
        let mut world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut held = world.hold(&world.alice, scratch.path(), "echo")?;
        until("the session at the target", SOON, || target.open() == 1)?;
        world.connector.process()?.signal(Signal::Stop)?;
        let took = until("the end of its links", SOON, || world::online(&world.owner) == 0)?;
        world.connector.process()?.signal(Signal::Cont)?;
        assert!(took <= Duration::from_secs(12), "{took:?} until the frozen connector was given up");
        until("the connector to come back", SOON, || world::online(&world.owner) == 1)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        // It was away for less than the window: the session is still there.
        assert!(held.is_running() && target.open() == 1, "{}", held.log());
        Ok(())
    })
}

#[test]
fn a_service_account_reaches_what_it_may_and_ends_with_its_token() -> Result<()> {
    scenario("service-account", |scratch| {
        let world = World::start(scratch)?;
        let token = service_token(&world)?;
        let robot = Client::new(&tools::programs()?, &scratch.join("robot"))?
            .with_environment("POSTERN_TOKEN", &token)
            .with_environment("POSTERN_GATEWAY", world.gateway.url())
            .with_environment("POSTERN_CA_FILE", &world.gateway.authority().display().to_string());
        robot.ssh(&world.sshd, "bastion", "exit 3")?.expect(3)?;
        let tokens = world.owner.json(&["tokens", "ls"])?;
        let id = tokens
            .as_array()
            .and_then(|list| list.iter().find(|token| token["kind"] == "service_account"))
            .and_then(|token| token["id"].as_str())
            .context("the token is not listed")?
            .to_owned();
        world.owner.run(&["tokens", "revoke", &id])?.expect(0)?;
        let refused = robot.run(&["proxy", "bastion"])?;
        assert_eq!(refused.code, 77, "{}", refused.stderr);
        Ok(())
    })
}

fn access_token(person: &Client) -> Result<String> {
    let found = secrets_below(&person.home().join("postern"))?;
    found.into_iter().find(|secret| secret.matches('.').count() == 2).context("no access token")
}

fn service_token(world: &World) -> Result<String> {
    let documents = "kind: service_account\nname: robot\ngroups: [engineers]\n";
    world.owner.apply(documents)?.expect(0)?;
    let reply = world.owner.json(&["tokens", "create", "--service-account", "robot"])?;
    Ok(reply["token"].as_str().context("the reply names no token")?.to_owned())
}

/// Everything below a directory that looks like one of our tokens.
fn secrets_below(directory: &Path) -> Result<Vec<String>> {
    let text = everything_below(directory)?;
    let is_ours = |word: &&str| {
        ["pst_", "psr_", "psb_", "psd_", "pse_"].iter().any(|prefix| word.starts_with(prefix))
            || (word.starts_with("eyJ") && word.matches('.').count() == 2)
    };
    let words = text.split(|c: char| !(c.is_alphanumeric() || "._-".contains(c)));
    Ok(words.filter(|word| word.len() > 20).filter(is_ours).map(str::to_owned).collect())
}

fn everything_below(directory: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            text.push_str(&everything_below(&path)?);
        } else if path.is_file() {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path)?));
        }
    }
    Ok(text)
}

fn dump(url: &str) -> Result<String> {
    // Proves first that the address is good: pg_dump's own messages are about its version.
    postgres::query(url, "select 1")?;
    let output = tools::command("pg_dump")?.args(["--inserts", url]).output()?;
    anyhow::ensure!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
