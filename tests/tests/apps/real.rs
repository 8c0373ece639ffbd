//! Applications as companies run them: JupyterLab, a registry of npm packages, a git server. None knows of the gateway, but for whom
//! to believe.

use crate::support::{CUT_WITHIN, SOON};
use anyhow::{Context, Result};
use postern_tests::apps::{Chromium, GitServer, Recipe, RecipeApp, Registry, Scene, npm};
use postern_tests::{Client, Ran, eventually, scenario, sized, skipped, tools, world::ALICE};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const MIB: usize = 1024 * 1024;

#[test]
fn a_notebook_runs_in_a_real_browser_until_the_right_to_it_ends() -> Result<()> {
    scenario("apps-jupyter", |scratch| {
        let scene = Scene::start(scratch)?;
        let jupyter = RecipeApp::start(&scene, "notebooks", Recipe::Jupyter, &scratch.join("jupyter"))?;
        let Some(jupyter) = jupyter else {
            let reason = "not on this machine; `cargo xtask test --long` brings it where Python is to be had";
            skipped("JupyterLab", reason);
            return Ok(());
        };
        scene.publish("notebooks", &jupyter.target(), "{}")?;
        let trusted = scene.gateway().authority();
        let chromium = Chromium::new(&scratch.join("chromium"), &[&trusted])?;
        let absent = scene.world.owner.home().join("absent.yaml");
        std::fs::write(&absent, "kind: absent\nobject: grant\nname: engineers-open-apps\n")?;
        let revoke = command_as_json(&scene.world.owner.postern(&[
            "apply",
            "--yes",
            "-f",
            &absent.display().to_string(),
        ]));
        let told =
            json!({ "app": scene.url("notebooks", ""), "person": [ALICE.0, ALICE.1], "revoke": revoke });
        let said: Value = serde_json::from_str(&chromium.run("jupyter.mjs", told)?)?;
        let took = said["closed_after_ms"].as_u64().context("it does not say how long it took")?;
        assert!(u128::from(took) < CUT_WITHIN.as_millis(), "the kernel's socket was open for {took} ms");
        Ok(())
    })
}

/// A command for a program that is not ours to start.
fn command_as_json(command: &Command) -> Value {
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    let environment: serde_json::Map<String, Value> =
        command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?).into()))).collect();
    let arguments: Vec<String> = command.get_args().map(text).collect();
    json!({ "program": text(command.get_program()), "arguments": arguments, "environment": environment })
}

#[test]
fn a_big_package_is_published_and_installed_with_a_token_however_npm_shows_it() -> Result<()> {
    scenario("apps-npm", |scratch| {
        let scene = Scene::start(scratch)?;
        let registry = Registry::start(&scratch.join("registry"))?;
        scene.publish("npm", &registry.target(), "{basic_tokens: true}")?;
        let (token, id) = token(&scene.world.alice, "npm")?;
        let bearer = format!("_authToken={token}");
        let basic = format!("_auth={}", base64(&format!("alice:{token}"))?);

        let package = scratch.directory("package")?;
        std::fs::write(package.join("package.json"), r#"{"name":"@team/big","version":"1.0.0"}"#)?;
        random_file(&package.join("big.bin"), sized(12, 96) * MIB)?;
        let ran = |directory: &Path, credential: &str, arguments: &[&str]| -> Result<Ran> {
            Ok(npm(&scene, "npm", directory, credential)?
                .args(arguments)
                .output()
                .context("start npm")?
                .into())
        };
        ran(&package, &bearer, &["publish"])?.expect(0)?;
        for (name, credential) in [("bearer", &bearer), ("basic", &basic)] {
            let project = scratch.directory(name)?;
            std::fs::write(project.join("package.json"), r#"{"name":"project","private":true}"#)?;
            ran(&project, credential, &["install", "@team/big"])?.expect(0)?;
            same_files(&package.join("big.bin"), &project.join("node_modules/@team/big/big.bin"))?;
        }

        let anybody = scratch.directory("anybody")?;
        let refused = ran(&anybody, "_authToken=of-the-registry", &["view", "@team/big"])?;
        assert!(refused.code != 0 && refused.stderr.contains("401"), "{}", refused.stderr);
        scene.world.alice.run(&["token", "revoke", &id])?.expect(0)?;
        let is_refused = || ran(&anybody, &bearer, &["view", "@team/big"]).ok().filter(|ran| ran.code != 0);
        let (refused, _) = eventually("a revoked token to be refused", SOON, is_refused)?;
        assert!(refused.stderr.contains("401"), "{}", refused.stderr);
        Ok(())
    })
}

#[test]
fn git_clones_and_pushes_with_a_token_as_its_password() -> Result<()> {
    scenario("apps-git", |scratch| {
        let scene = Scene::start(scratch)?;
        let server = GitServer::start(&scratch.directory("server")?, "team.git")?;
        scene.publish("git", &server.target(), "{basic_tokens: true}")?;
        let (token, id) = token(&scene.world.alice, "git")?;
        let secret = scratch.write_secret("token", &token)?;
        let url = scene.url("git", "/team.git");
        let git = |directory: &Path, arguments: &[&str]| -> Result<Ran> {
            let mut git = stock_git(&scene, &secret)?;
            git.current_dir(directory).args(arguments);
            Ok(git.output().context("start git")?.into())
        };
        let (work, other) = (scratch.join("work"), scratch.join("other"));
        git(scratch.path(), &["clone", "--quiet", &url, "work"])?.expect(0)?;
        random_file(&work.join("big.bin"), sized(8, 200) * MIB)?;
        git(&work, &["add", "big.bin"])?.expect(0)?;
        git(&work, &["commit", "--quiet", "--message", "A big file"])?.expect(0)?;
        git(&work, &["push", "--quiet", "origin", "main"])?.expect(0)?;
        git(scratch.path(), &["clone", "--quiet", &url, "other"])?.expect(0)?;
        same_files(&work.join("big.bin"), &other.join("big.bin"))?;
        let log = server.log("team.git", "main")?;
        assert!(log.contains("alice"), "the server knows who pushed: {log}");

        let since = Instant::now();
        scene.world.alice.run(&["token", "revoke", &id])?.expect(0)?;
        let is_refused = || git(&other, &["fetch"]).ok().filter(|ran| ran.code != 0);
        let (refused, _) = eventually("a revoked token to be refused", SOON, is_refused)?;
        assert!(since.elapsed() < CUT_WITHIN, "{:?}", since.elapsed());
        assert!(refused.stderr.contains("Authentication failed"), "{}", refused.stderr);
        Ok(())
    })
}

/// git as the documentation sets it up: a user name, and the token where git asks for a password.
fn stock_git(scene: &Scene, secret: &Path) -> Result<Command> {
    let (host, authority) = (scene.url("git", ""), scene.gateway().authority());
    let mut git = tools::command("git")?;
    git.args(["-c", &format!("credential.{host}.username=alice"), "-c", "credential.helper="]);
    git.env("GIT_SSL_CAINFO", &authority);
    git.args(["-c", &format!("http.curloptResolve={}:127.0.0.1", scene.authority("git"))]);
    git.args(["-c", "user.name=Alice", "-c", "user.email=alice@example.com"]);
    let ask = secret.with_file_name("askpass");
    if !ask.exists() {
        std::fs::write(&ask, format!("#!/bin/sh\nexec cat '{}'\n", secret.display()))?;
        std::fs::set_permissions(&ask, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    git.env("GIT_ASKPASS", ask).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git.stdin(Stdio::null());
    Ok(git)
}

/// A token for an application, and its id.
fn token(person: &Client, application: &str) -> Result<(String, String)> {
    let made = person.json(&["token", "create", application])?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("token");
    Ok((text("token")?, text("id")?))
}

/// A file that nothing compresses.
fn random_file(file: &Path, size: usize) -> Result<()> {
    let made = tools::command("openssl")?.args(["rand", "-out"]).arg(file).arg(size.to_string()).status()?;
    anyhow::ensure!(made.success(), "openssl rand ended with {made}");
    Ok(())
}

fn same_files(one: &Path, other: &Path) -> Result<()> {
    let compared = tools::command("cmp")?.arg(one).arg(other).output()?;
    anyhow::ensure!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
    Ok(())
}

fn base64(text: &str) -> Result<String> {
    let program = format!("process.stdout.write(Buffer.from({}).toString('base64'))", json!(text));
    let ran = tools::command("node")?.args(["-e", &program]).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8(ran.stdout)?)
}
