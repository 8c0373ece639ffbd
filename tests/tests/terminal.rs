//! Many commands at once whose person has to sign in again: at a real terminal, and without one.

use anyhow::{Context, Result};
use postern_tests::pages::Walk;
use postern_tests::world::ALICE;
use postern_tests::{OpenedBrowser, Process, Ran, Scratch, World, curl, scenario, until};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// So many commands begin together.
const COMMANDS: usize = 8;

/// For waiting on processes that take milliseconds when the machine is free.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn eight_ssh_at_a_terminal_open_one_browser_and_all_get_through() -> Result<()> {
    scenario("terminal", |scratch| {
        let world = World::start(scratch)?;
        let browser = OpenedBrowser::install(world.alice.home())?;
        expire_sign_in(&world)?;
        let (mut shell, address) = Terminal::asked(scratch, &world, &browser)?;

        sign_in(&world, &address)?;
        assert_eq!(shell.ends()?, (0..COMMANDS).map(|number| (0, format!("{number}\n"))).collect::<Vec<_>>());
        assert_eq!(browser.addresses().len(), 1, "one browser");
        let shown = shell.shown();
        assert_eq!(shown.matches("your sign-in expired").count(), 1, "{shown}");
        assert_eq!(shown.matches("Sign in with your browser").count(), 1, "{shown}");
        assert_eq!(world.sshd.accepted(), COMMANDS);
        Ok(())
    })
}

#[test]
fn a_sign_in_that_was_ended_before_its_time_asks_once_too() -> Result<()> {
    scenario("ended-early", |scratch| {
        let world = World::start(scratch)?;
        let browser = OpenedBrowser::install(world.alice.home())?;
        end_sign_in(&world)?;
        let (mut shell, address) = Terminal::asked(scratch, &world, &browser)?;
        sign_in(&world, &address)?;
        assert!(shell.ends()?.iter().all(|(code, _)| *code == 0), "{}", shell.shown());
        assert_eq!(browser.addresses().len(), 1, "{}", shell.shown());
        Ok(())
    })
}

#[test]
fn who_does_not_sign_in_is_asked_once_whatever_many_commands_wait() -> Result<()> {
    scenario("asked-once", |scratch| {
        let world = World::start(scratch)?;
        let browser = OpenedBrowser::install(world.alice.home())?;
        expire_sign_in(&world)?;
        let (mut shell, address) = Terminal::asked(scratch, &world, &browser)?;

        let back = |name: &str| parameter(&address, name).with_context(|| format!("no {name} in {address}"));
        let (redirect, state) = (back("redirect_uri")?, back("state")?);
        let issuer = curl::encode(world.gateway.url());
        let refusal = format!("{redirect}?error=access_denied&state={state}&iss={issuer}");
        world.gateway.browser(world.alice.home()).get(&refusal)?.expect(200)?;
        assert!(shell.ends()?.iter().all(|(code, output)| *code == 255 && output.is_empty()));
        let shown = shell.shown();
        assert_eq!(browser.addresses().len(), 1, "{shown}");
        assert_eq!(shown.matches("postern: the sign-in was refused").count(), 1, "{shown}");
        let told = "postern: your sign-in expired; sign in again with `postern login`";
        assert_eq!(shown.matches(told).count(), COMMANDS - 1, "{shown}");
        assert_eq!(world.sshd.connections(), 0);

        // Whoever comes later is asked again.
        let mut shell = Terminal::open(scratch, &world)?;
        until("another address", SOON, || browser.addresses().len() == 2)?;
        sign_in(&world, &browser.addresses().pop().context("an address")?)?;
        assert!(shell.ends()?.iter().all(|(code, _)| *code == 0), "{}", shell.shown());
        Ok(())
    })
}

#[test]
fn at_a_terminal_apply_changes_what_was_agreed_to_and_nothing_else() -> Result<()> {
    scenario("apply-asks", |scratch| {
        let world = World::start(scratch)?;
        let file = world.owner.write_secret("more.yaml", "kind: group\nname: auditors\n")?;
        let postern = world.owner.home().join("bin/postern");
        let line = format!("'{}' apply -f '{}'", postern.display(), file.display());
        let answered = |answer: &str| -> Result<Ran> {
            let mut script = world.owner.dressed("script")?;
            script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut script = script.spawn()?;
            script.stdin.as_mut().context("a pipe")?.write_all(answer.as_bytes())?;
            Ok(script.wait_with_output()?.into())
        };
        let groups = || Ok::<_, anyhow::Error>(world.owner.json(&["get", "groups"])?.to_string());
        let no = answered("n\n")?.expect(64)?;
        assert!(no.stdout.contains("+ group auditors") && no.stdout.contains("[y/N]"), "{}", no.stdout);
        assert!(
            no.stdout.contains("nothing was changed") && !groups()?.contains("auditors"),
            "{}",
            no.stdout
        );
        let yes = answered("y\n")?.expect(0)?;
        assert!(yes.stdout.contains("done: 1 created") && groups()?.contains("auditors"), "{}", yes.stdout);
        Ok(())
    })
}

#[test]
fn without_a_terminal_each_command_ends_with_one_line_and_77() -> Result<()> {
    scenario("no-terminal", |scratch| {
        let world = World::start(scratch)?;
        let browser = OpenedBrowser::install(world.alice.home())?;
        expire_sign_in(&world)?;
        let start = || {
            let mut proxy = world.alice.postern(&["proxy", "bastion"]);
            proxy.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
        };
        let running = (0..COMMANDS).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
        for child in running {
            let ran = Ran::from(child.wait_with_output()?).expect(77)?;
            assert_eq!(ran.stderr, "postern: your sign-in expired; sign in again with `postern login`\n");
            assert_eq!(ran.stdout, "");
        }
        assert_eq!(world.alice.ssh(&world.sshd, "bastion", "true")?.code, 255);
        assert!(browser.addresses().is_empty(), "nobody is there who could use a browser");
        assert_eq!(world.sshd.connections(), 0);
        Ok(())
    })
}

/// A pseudo-terminal in which a shell starts stock ssh, many times at once, and waits.
struct Terminal {
    shell: Process,
    directory: PathBuf,
    before: usize,
}

impl Terminal {
    /// Opens one where all commands wait for a sign-in, and gives the address that the browser was asked to show.
    fn asked(scratch: &Scratch, world: &World, browser: &OpenedBrowser) -> Result<(Self, String)> {
        let shell = Self::open(scratch, world)?;
        let address = browser.address(SOON)?;
        until("all of them under way", SOON, || proxies(world) == COMMANDS)?;
        Ok((shell, address))
    }

    fn open(scratch: &Scratch, world: &World) -> Result<Self> {
        let configuration = world.alice.ssh_configuration(&world.sshd)?;
        let directory = scratch.directory("shell")?;
        let file = directory.join("script");
        // What ssh and its proxy say goes to the terminal; each output and exit code to a file.
        let text = format!(
            "cd '{}'; for n in $(seq 0 {}); do ( ssh -F '{}' bastion \"echo $n\" </dev/null >out.$n; echo $? >code.$n ) & done; wait\n",
            directory.display(),
            COMMANDS - 1,
            configuration.display()
        );
        fs::write(&file, text)?;
        let mut script = world.alice.dressed("script")?;
        script.env("DISPLAY", ":0").args(["-qec", &format!("sh '{}'", file.display()), "/dev/null"]);
        let before = fs::read(directory.join("terminal.log")).map_or(0, |log| log.len());
        let shell = Process::start_with_open_input("terminal", script, &directory)?;
        Ok(Self { shell, directory, before })
    }

    /// Waits for the shell; the exit code and output of each ssh.
    fn ends(&mut self) -> Result<Vec<(i32, String)>> {
        self.shell.wait(SOON)?;
        let read =
            |name: &str, number: usize| fs::read_to_string(self.directory.join(format!("{name}.{number}")));
        (0..COMMANDS)
            .map(|number| Ok((read("code", number)?.trim().parse()?, read("out", number)?)))
            .collect()
    }

    /// What stood on the terminal.
    fn shown(&self) -> String {
        self.shell.log().get(self.before..).unwrap_or_default().to_owned()
    }
}

/// Signs Alice in where her browser was sent.
fn sign_in(world: &World, address: &str) -> Result<()> {
    let agent = world.gateway.browser(world.alice.home());
    let back = Walk::new(&agent, ALICE.0, ALICE.1).follow(address)?;
    agent.get(&back)?.expect(200)?;
    Ok(())
}

/// Ends alice's sign-in at the gateway; what her command keeps looks good.
fn end_sign_in(world: &World) -> Result<()> {
    world.owner.run(&["users", "disable", ALICE.0])?.expect(0)?;
    world.owner.run(&["users", "enable", ALICE.0])?.expect(0)?;
    Ok(())
}

/// The same, and what her command keeps looks its age.
fn expire_sign_in(world: &World) -> Result<()> {
    end_sign_in(world)?;
    let file = world.alice.home().join("postern/tokens.json");
    let mut tokens: serde_json::Value = serde_json::from_slice(&fs::read(&file)?)?;
    tokens["expires_at"] = tokens["obtained_at"].clone();
    world.alice.write_secret("postern/tokens.json", &tokens.to_string())?;
    Ok(())
}

/// How many of alice's `postern proxy` are at work: they wait for events.
fn proxies(world: &World) -> usize {
    let wanted = format!("{}\0proxy\0", world.alice.home().join("bin/postern").display());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|process| process.path());
    let ours = |process: &PathBuf| {
        fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.starts_with(&wanted))
    };
    let waits = |process: &PathBuf| {
        let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok())
            .any(|file| file.ends_with("anon_inode:[eventpoll]"))
    };
    processes.filter(ours).filter(waits).count()
}

/// A parameter of an address, as it stands there but for what percent signs hide.
fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let (_, value) =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(value.replace("%3A", ":").replace("%2F", "/"))
}
