//! Where no secret may be: arguments, files of others, logs, the database.

use super::{SOON, everything_below, secrets_below, service_token};
use anyhow::{Context, Result};
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{
    Client, GatewayOptions, Manner, Ran, Target, World, curl, postgres, scenario, tools, until,
};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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
fn o13_what_lies_in_the_current_directory_is_neither_read_nor_believed() -> Result<()> {
    scenario("o13-planted", |scratch| {
        let world = World::start(scratch)?;
        let own = world.alice.home().join("postern");
        let planted = scratch.directory("planted")?;
        for place in [".", "postern", ".postern", ".config/postern", ".local/state/postern"] {
            let place = planted.join(place);
            std::fs::create_dir_all(&place)?;
            let copied = tools::command("cp")?.arg("-a").arg(own.join(".")).arg(&place).status()?;
            assert!(copied.success());
        }
        let stranger = Client::new(&tools::programs()?, &scratch.join("stranger"))?;
        for command in [&["whoami"][..], &["ls"], &["proxy", "bastion"], &["get", "users"]] {
            let ran =
                Ran::from(stranger.postern(command).current_dir(&planted).stdin(Stdio::null()).output()?);
            assert!(ran.code != 0 && !ran.stdout.contains(ALICE.0), "{command:?}: {ran:?}");
        }
        // Nor do files that lead elsewhere: alice goes where she signed in.
        for file in walk(&planted)? {
            let text = std::fs::read_to_string(&file)?;
            std::fs::write(&file, text.replace(world.gateway.url(), "https://127.0.0.1:1"))?;
        }
        let ran =
            Ran::from(world.alice.postern(&["ls"]).current_dir(&planted).stdin(Stdio::null()).output()?);
        assert!(ran.expect(0)?.stdout.contains("bastion"));
        Ok(())
    })
}

fn walk(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(walk(&path)?);
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
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
            // The same where a path, a host and a name are.
            let encoded = curl::encode(agent.get(..7_000).unwrap_or(agent));
            let _ = browser.send(&format!("{}/{encoded}?x={encoded}", world.gateway.url()), &[], None);
            let _ = browser.send(world.gateway.url(), &[&format!("Host: {agent}")], None);
            let form = [("username", agent), ("password", agent), ("next", agent)];
            let _ = browser.post_form(&format!("{}/sign-in", world.gateway.url()), &form);
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

fn dump(url: &str) -> Result<String> {
    // Proves first that the address is good: pg_dump's own messages are about its version.
    postgres::query(url, "select 1")?;
    let output = tools::command("pg_dump")?.args(["--inserts", url]).output()?;
    anyhow::ensure!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
