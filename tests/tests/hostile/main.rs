//! Hostile input at the real doors: each test bears the id of its row in the threat catalogue.

mod configuration;
mod connectors;
mod names;
mod once;
mod people;
mod secrets;
mod words;

use anyhow::{Context, Result};
use postern_tests::{Client, World, scenario, tools};
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

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
