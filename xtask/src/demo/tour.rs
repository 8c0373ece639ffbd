//! The tour of `cargo xtask demo --check`: each step with its time.

use super::scene::Scene;
use super::steps::Steps;
use anyhow::{Context, Result};
use postern_tests::apps::Visitor;
use postern_tests::world::ALICE;
use postern_tests::{Process, eventually, until};
use std::time::Duration;

/// A cut is due within a second; the machine may be busy with other things.
const CUT_WITHIN: Duration = Duration::from_secs(5);

const RECORDED_WITHIN: Duration = Duration::from_secs(10);

const SSH_WITHIN: Duration = Duration::from_secs(20);

/// Walks it.
pub(super) fn walk(scene: &mut Scene, steps: &mut Steps) -> Result<()> {
    steps.take("alice asks what she may reach: bastion", || {
        let list = scene.alice.run(&["ls"])?.expect(0)?;
        anyhow::ensure!(list.stdout.contains("bastion"), "not listed: {}", list.stdout);
        Ok(())
    })?;
    steps.take("ssh bastion: output and exit code come through", || {
        let ran = scene.alice.ssh(&scene.sshd, "bastion", "echo through the tunnel; exit 7")?.expect(7)?;
        anyhow::ensure!(ran.stdout == "through the tunnel\n", "unexpected output: {:?}", ran.stdout);
        Ok(())
    })?;
    let alice = steps.take("open the web application: sign in, and be greeted by name", || {
        let alice = Visitor::new(&scene.gateway, &scene.scratch.join("visitor"), ALICE)?;
        let address = format!("{}/deep/link?x=1", scene.app_url());
        let arrived = alice.visit(&address)?;
        anyhow::ensure!(arrived.at == address, "led to {}", arrived.at);
        let page = arrived.expect(200)?.body;
        anyhow::ensure!(page.contains("Hello, alice"), "not greeted: {page}");
        Ok(alice)
    })?;
    let mut session = steps.take("open a session that stays", || stay(scene))?;
    steps.take("the owner sees it", || {
        let sessions = scene.owner.run(&["sessions", "ls"])?.expect(0)?;
        anyhow::ensure!(sessions.stdout.contains("bastion"), "not listed: {}", sessions.stdout);
        Ok(())
    })?;
    let cut = steps.take("take the grant away: the open session is cut", || {
        scene.owner.apply("kind: absent\nobject: grant\nname: engineers-reach-office\n")?.expect(0)?;
        until("the cut", CUT_WITHIN, || !session.is_running())
    })?;
    println!("     cut {:.0} ms after the change was acknowledged", cut.as_secs_f64() * 1e3);
    steps.take("sign out at the web application: its door is closed", || {
        let url = scene.app_url();
        alice.browser.post_form(&format!("{url}/.postern/sign-out"), &[])?.expect(303)?;
        alice.fetch(&url)?.expect(401)
    })?;
    let decision = steps.take("alice is denied, with a decision to ask about", || denied(scene))?;
    steps.take("the owner asks why", || {
        // Records reach the store a moment after they are on disk.
        let told = || scene.owner.run(&["explain", &decision]).ok().filter(|ran| ran.code == 0);
        let (why, _) = eventually("the record in the store", RECORDED_WITHIN, told)?;
        anyhow::ensure!(why.stdout.contains("alice"), "no word of alice: {}", why.stdout);
        Ok(())
    })?;
    Ok(())
}

fn stay(scene: &Scene) -> Result<Process> {
    let mut command = scene.alice.openssh("ssh", &scene.sshd)?;
    command.args(["bastion", "echo open; exec sleep 600"]);
    let mut session = Process::start("session", command, scene.scratch.path())?;
    until("the session", SSH_WITHIN, || session.log().contains("open") || !session.is_running())?;
    anyhow::ensure!(session.is_running(), "ssh ended:\n{}", session.log_tail());
    Ok(session)
}

fn denied(scene: &Scene) -> Result<String> {
    let ran = scene.alice.run(&["proxy", "bastion"])?.expect(77)?;
    let (decision, _) = eventually("the decision id", Duration::ZERO, || {
        ran.stderr.split(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| word.starts_with("dec_"))
    })
    .with_context(|| ran.stderr.clone())?;
    Ok(decision.to_owned())
}
