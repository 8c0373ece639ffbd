//! The user's command as people and their scripts use it: what it writes, what it prints, and what it says when it cannot.

use anyhow::{Context, Result};
use postern_tests::apps::Greeter;
use postern_tests::world::{self, ALICE};
use postern_tests::{Client, OpenedBrowser, Ran, World, scenario, tools, until};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// For waiting on processes that take milliseconds when the machine is free.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn ssh_config_is_all_that_stock_ssh_needs_and_written_twice_it_is_the_same() -> Result<()> {
    scenario("ssh-config", |scratch| {
        let world = World::start(scratch)?;
        confirm_host_key(&world)?;
        let file = scratch.join("config");
        let own = format!(
            "Host *\n  User {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  BatchMode yes\n  StrictHostKeyChecking yes\n  \
             UserKnownHostsFile none\n  GlobalKnownHostsFile none\n",
            world.sshd.user(),
            world.sshd.user_key().display()
        );
        fs::write(&file, &own)?;
        let written = |more: &[&str]| -> Result<Ran> {
            let path = file.display().to_string();
            world.alice.run(&[&["ssh-config", "--file", &path], more].concat())?.expect(0)
        };
        let shown = written(&["--dry-run"])?.stdout;
        assert_eq!(fs::read_to_string(&file)?, own, "a dry run writes nothing");
        written(&[])?;
        assert_eq!(fs::read_to_string(&file)?, shown, "what was shown is what is written");
        assert!(written(&[])?.stderr.contains("up to date"));
        assert_eq!(fs::read_to_string(&file)?, shown);

        let ssh = || -> Result<Ran> {
            let mut ssh = world.alice.dressed("ssh")?;
            Ok(ssh.arg("-F").arg(&file).args(["bastion.postern", "echo checked; exit 4"]).output()?.into())
        };
        // The first connection brings the confirmed key, and ssh asks for it next.
        until("the confirmed key at alice's ssh", SOON, || ssh().is_ok_and(|ran| ran.code == 4))?;
        assert_eq!(ssh()?.expect(4)?.stdout, "checked\n");
        written(&["--remove"])?;
        assert_eq!(fs::read_to_string(&file)?, own, "nothing of ours is left");
        Ok(())
    })
}

#[test]
fn every_list_is_a_table_for_people_and_json_for_programs() -> Result<()> {
    scenario("lists", |scratch| {
        let world = World::start(scratch)?;
        confirm_host_key(&world)?;
        let account = "kind: service_account\nname: robot\n---\nkind: policy\nname: never\ntext: |\n  \
             forbid (principal, action, resource) when { context.source == ip(\"192.0.2.1\") };\n";
        world.owner.apply(account)?.expect(0)?;
        world.owner.run(&["tokens", "create", "--service-account", "robot"])?.expect(0)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        let recorded = || world.owner.run(&["sessions", "ls"]).is_ok_and(|ran| ran.stdout.contains("alice"));
        until("the session on the list", SOON, recorded)?;
        for arguments in [
            "ls",
            "users ls",
            "sessions ls",
            "sessions ls --user alice --resource bastion --limit 5",
            "connectors ls",
            "tokens ls",
            "host-keys ls bastion",
            "get sites",
            "get resources",
            "get groups",
            "get users",
            "get service-accounts",
            "get grants",
        ] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let listed = world.owner.json(&arguments)?;
            let listed = listed.as_array().with_context(|| format!("{arguments:?} is no list"))?;
            assert!(!listed.is_empty(), "{arguments:?}");
            let table = world.owner.run(&arguments)?.expect(0)?;
            assert_eq!(
                (table.stdout.lines().count(), table.stderr.as_str()),
                (1 + listed.len(), ""),
                "{table:?}"
            );
            aligned(&table.stdout)?;
        }
        for arguments in [
            "get policies",
            "get windows",
            "get thresholds",
            "get providers",
            "sessions ls --live",
            "token ls",
        ] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            assert!(world.owner.json(&arguments)?.is_array(), "{arguments:?}");
        }
        for arguments in ["whoami", "status", "explain --user alice --resource bastion", "get site office"] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            assert!(world.owner.json(&arguments)?.is_object(), "{arguments:?}");
        }
        Ok(())
    })
}

#[test]
fn who_names_what_is_not_there_is_told_which_list_has_it() -> Result<()> {
    scenario("nowhere", |scratch| {
        let world = World::start(scratch)?;
        for (arguments, next) in [
            ("get grant nope", "postern get grants"),
            ("users disable nope", "postern users ls"),
            ("connectors revoke nope", "postern connectors ls"),
            ("tokens create --site nope", "postern get sites"),
            ("tokens create --service-account nope", "postern get service-accounts"),
            ("tokens revoke tok_00000000000000000000000000", "postern tokens ls"),
            ("sessions end ses_00000000000000000000000000", "postern sessions ls --live"),
            ("token create nope", "postern ls"),
            ("explain --user nope --resource bastion", "postern users ls"),
            ("host-keys ls nope", "postern get resources"),
            ("host-keys confirm bastion SHA256:nope", "postern host-keys probe bastion"),
            ("forward 0:nope", "postern ls"),
        ] {
            let ran = world.owner.run(&arguments.split(' ').collect::<Vec<_>>())?.expect(69)?;
            assert_eq!(ran.stdout, "", "{arguments}");
            assert!(ran.stderr.ends_with(&format!("\n  next: {next}\n")), "{arguments}: {}", ran.stderr);
        }
        // An owner without a grant of her own learns no keys, and why.
        let ran = world.owner.run(&["host-keys", "probe", "bastion"])?.expect(77)?;
        assert!(ran.stderr.ends_with("\n  next: postern explain --resource bastion\n"), "{}", ran.stderr);
        let why = world.owner.run(&["explain", "--resource", "bastion"])?.expect(0)?;
        assert!(why.stdout.starts_with("denied: "), "{}", why.stdout);
        let why = world.owner.run(&["explain", "--resource", "bastion", "--user", ALICE.0])?.expect(0)?;
        assert!(
            why.stdout.starts_with("allowed: ") && why.stdout.contains("engineers-reach-office"),
            "{}",
            why.stdout
        );
        world.alice.run(&["explain", "--resource", "bastion", "--user", "olivia"])?.expect(77)?;
        Ok(())
    })
}

#[test]
fn a_sign_in_that_would_lead_nowhere_opens_no_browser() -> Result<()> {
    scenario("no-way-in", |scratch| {
        let world = World::start(scratch)?;
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        let browser = OpenedBrowser::install(bob.home())?;
        let gateway = world.gateway.url();
        let login = |more: &[&str]| bob.run(&[&["login", "--gateway"], more].concat());
        let ran = login(&[gateway])?.expect(75)?;
        assert!(ran.stderr.contains("certificate") && ran.stderr.contains("--ca-sha256"), "{}", ran.stderr);
        let ran = login(&[gateway, "--ca-sha256", &"ab".repeat(32)])?.expect(75)?;
        assert!(ran.stderr.contains("\n  next: compare"), "{}", ran.stderr);
        login(&["http://127.0.0.1:1"])?.expect(75)?;
        let app = Greeter::start()?;
        let ran = login(&[&format!("http://{}", app.address())])?.expect(64)?;
        assert!(ran.stderr.contains("no Postern gateway"), "{}", ran.stderr);
        assert!(browser.addresses().is_empty());
        assert!(
            !bob.home().join("postern/profile.json").exists(),
            "nothing of a sign-in that was none is kept"
        );
        Ok(())
    })
}

#[test]
fn a_revoked_connector_is_off_at_once_and_serves_nobody_again() -> Result<()> {
    scenario("connector-revoked", |scratch| {
        let world = World::start(scratch)?;
        let list = world.owner.json(&["connectors", "ls"])?;
        let name = list[0]["name"].as_str().context("a name")?;
        world.owner.run(&["connectors", "revoke", name])?.expect(0)?;
        until("the connector off", SOON, || world::online(&world.owner) == 0)?;
        let list = world.owner.json(&["connectors", "ls"])?;
        assert_eq!(list[0]["state"], "revoked", "{list}");
        let ran = world.alice.postern(&["proxy", "bastion"]).stdin(Stdio::null()).output()?;
        let ran = Ran::from(ran).expect(75)?;
        assert!(ran.stderr.contains("connector"), "{}", ran.stderr);
        assert_eq!(world.sshd.connections(), 0);
        Ok(())
    })
}

#[test]
fn the_completions_are_a_script_that_the_shell_can_read() -> Result<()> {
    scenario("completions", |scratch| {
        let somebody = Client::new(&tools::programs()?, &scratch.join("somebody"))?;
        let script = somebody.run(&["completions", "bash"])?.expect(0)?.stdout;
        let file = scratch.write_secret("completions.bash", &script)?;
        // Completes `postern sess` as a person's Tab does.
        let ask = format!(
            "source '{}'; COMP_WORDS=(postern sess); COMP_CWORD=1; _postern postern sess postern; echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let ran: Ran = tools::command("bash")?.args(["--norc", "-c", &ask]).output()?.into();
        assert_eq!(ran.expect(0)?.stdout.trim(), "sessions");
        Ok(())
    })
}

/// Lets an owner learn and vouch for the key of `bastion`.
fn confirm_host_key(world: &World) -> Result<()> {
    let grant = "kind: grant\nname: owners-reach-office\nsubjects: [{group: owners}]\nresources: {site: office}\nactions: [connect]\n";
    world.owner.apply(grant)?.expect(0)?;
    let probe = || world.owner.run(&["host-keys", "probe", "bastion"]).ok().filter(|ran| ran.code == 0);
    let (probed, _) = postern_tests::eventually("a probe", SOON, probe)?;
    let print = probed.stdout.split_whitespace().find(|word| word.starts_with("SHA256:")).context("a key")?;
    world.owner.run(&["host-keys", "confirm", "bastion", print])?.expect(0)?;
    Ok(())
}

/// Each cell begins below the beginning of its title.
fn aligned(table: &str) -> Result<()> {
    let (titles, rows) = table.split_once('\n').context("titles")?;
    let begins =
        |at: &usize| titles.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with("  "));
    let columns: Vec<usize> =
        (0..titles.len()).filter(begins).filter(|at| !titles[*at..].starts_with(' ')).collect();
    for row in rows.lines() {
        let gaps = columns.iter().filter(|at| **at > 0).filter_map(|at| row.get(at - 2..*at));
        anyhow::ensure!(gaps.into_iter().all(|gap| gap == "  "), "{table}");
    }
    Ok(())
}
