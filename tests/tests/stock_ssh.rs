//! What stock OpenSSH and the far side see of a session that ends otherwise than by its command, or outlives a fault.

use anyhow::{Context, Result};
use postern_tests::world::ALICE;
use postern_tests::{
    Client, GatewayOptions, Postgres, Process, Scratch, World, eventually, postgres, scenario, until,
};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// For waiting on processes that take milliseconds when the machine is free.
const SOON: Duration = Duration::from_secs(30);

/// A cut is due within a second after the change; what the tests demand.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// A session of stock ssh that stays, with a command at the far end that notes when its input ends.
struct Session {
    ssh: Process,
    ended: PathBuf,
}

impl Session {
    fn begin(world: &World, person: &Client, scratch: &Scratch) -> Result<Self> {
        let ended = scratch.join("ended");
        let mut ssh = person.openssh("ssh", &world.sshd)?;
        ssh.args(["bastion", &format!("echo open; cat; echo over >'{}'", ended.display())]);
        let ssh = Process::start_with_open_input("ssh", ssh, scratch.path())?;
        until("a session over ssh", SOON, || ssh.log().contains("open")).with_context(|| ssh.log_tail())?;
        Ok(Self { ssh, ended })
    }

    /// Waits for the end at both sides: how long after `since` the far side saw it, and what ssh said.
    fn end(mut self, since: Instant) -> Result<(Duration, String)> {
        let (took, _) =
            eventually("the end at the sshd", SOON, || self.ended.exists().then(|| since.elapsed()))
                .with_context(|| self.ssh.log_tail())?;
        let status = self.ssh.wait(SOON)?;
        anyhow::ensure!(status.code() == Some(255), "ssh ended with {status}:\n{}", self.ssh.log());
        Ok((took, self.ssh.log()))
    }
}

#[test]
fn an_ssh_whose_grant_is_revoked_is_over_within_a_second_at_the_sshd_and_says_why() -> Result<()> {
    scenario("ssh-revoked", |scratch| {
        let world = World::start(scratch)?;
        let session = Session::begin(&world, &world.alice, scratch)?;
        world.revoke_engineers()?;
        let (took, told) = session.end(Instant::now())?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        says_why(&told)?;
        let reached = world.sshd.connections();
        let again = world.alice.ssh(&world.sshd, "bastion", "true")?.expect(255)?;
        says_why(&again.stderr)?;
        assert_eq!(world.sshd.connections(), reached, "a denied ssh reaches no sshd");
        // What may be done about it is what is done about it.
        world.grant_engineers()?;
        until("alice back in", SOON, || {
            world.alice.ssh(&world.sshd, "bastion", "true").is_ok_and(|ran| ran.code == 0)
        })?;
        Ok(())
    })
}

#[test]
fn an_ssh_whose_grant_expires_is_over_at_the_sshd_in_time_and_says_why() -> Result<()> {
    scenario("ssh-expired", |scratch| {
        let world = World::start(scratch)?;
        world.revoke_engineers()?;
        // The end is written in whole seconds: it comes within the last of these.
        let (limit, granted) = (Duration::from_secs(6), Instant::now());
        world.grant_until(limit)?;
        let let_in = || world.alice.ssh(&world.sshd, "bastion", "true").is_ok_and(|ran| ran.code == 0);
        until("the grant in force", limit / 2, let_in)?;
        let session = Session::begin(&world, &world.alice, scratch)?;
        let (took, told) = session.end(granted)?;
        assert!(took <= limit + CUT_WITHIN, "{took:?} after it was granted for {limit:?}");
        says_why(&told)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(255)?;
        Ok(())
    })
}

#[test]
fn an_ssh_whose_connector_is_killed_says_so_and_the_next_one_is_served_when_it_is_back() -> Result<()> {
    scenario("ssh-connector", |scratch| {
        let mut world = World::start(scratch)?;
        // Nobody can tell a dead connector from one that is cut off: its streams wait for it, this one not for long.
        let impatient = world.alice.clone().with_environment("POSTERN_RESUME", "10");
        let session = Session::begin(&world, &impatient, scratch)?;
        let killed = Instant::now();
        world.connector.kill()?;
        let (_, told) = session.end(killed)?;
        assert!(told.contains("postern: ") && told.contains("connector"), "{told}");
        let none = world.alice.ssh(&world.sshd, "bastion", "true")?.expect(255)?;
        assert!(none.stderr.contains("connector"), "{}", none.stderr);
        world.connector.run()?;
        until("the next ssh", SOON, || {
            world.alice.ssh(&world.sshd, "bastion", "true").is_ok_and(|ran| ran.code == 0)
        })?;
        Ok(())
    })
}

#[test]
fn with_the_database_stopped_an_open_ssh_goes_on_and_another_begins() -> Result<()> {
    scenario("ssh-database", |scratch| {
        let mut server = Postgres::start()?;
        let store = Some(postgres::fresh_database(&server.url("postgres"))?);
        let world = World::start_with(scratch, &GatewayOptions { store, ..GatewayOptions::default() })?;
        let mut ssh = world.alice.openssh("ssh", &world.sshd)?;
        ssh.args(["bastion", "cat; exit 7"]);
        let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        until("the open session", SOON, || world.sshd.accepted() == 1)?;
        server.crash()?;
        let other = world.alice.ssh(&world.sshd, "bastion", "echo through; exit 3")?.expect(3)?;
        assert_eq!(other.stdout, "through\n");
        let mut input = ssh.stdin.take().context("a pipe")?;
        input.write_all(b"still here")?;
        drop(input);
        let ran = postern_tests::Ran::from(ssh.wait_with_output()?).expect(7)?;
        assert_eq!(ran.stdout, "still here");
        server.restart()?;
        until("changes to be taken again", SOON, || {
            world.owner.run(&["users", "disable", ALICE.0]).is_ok_and(|ran| ran.code == 0)
        })?;
        until("the end of what was let in", SOON, || {
            world.alice.ssh(&world.sshd, "bastion", "true").is_ok_and(|ran| ran.code == 255)
        })?;
        server.stop()
    })
}

/// One sentence, the decision behind it, and what to do next.
fn says_why(told: &str) -> Result<()> {
    let lines: Vec<&str> = told.lines().collect();
    let said = lines.iter().position(|line| line.starts_with("postern: ") && line.contains("(dec_"));
    let next = said.and_then(|said| lines.get(said + 1)).is_some_and(|line| line.starts_with("  next: "));
    anyhow::ensure!(next, "it does not say why, or not what next:\n{told}");
    Ok(())
}
