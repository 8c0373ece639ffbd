//! The fault catalogue on real processes: each test bears the row's id.

use anyhow::{Context, Result};
use postern_tests::world;
use postern_tests::{
    Client, FaultPath, FaultProxy, Gateway, GatewayOptions, Manner, Postgres, Process, Ran, Scratch, Signal,
    Target, Way, World, postgres, scenario, sized, skipped, tools, until,
};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn f04_a_killed_connector_ends_its_streams_and_a_second_one_serves_on() -> Result<()> {
    scenario("f04", |scratch| {
        let mut world = World::start(scratch)?;
        let target = echo(&world)?;
        // Nobody can tell a dead connector from one that is cut off: its streams wait for it, these not for long.
        let impatient = world.alice.clone().with_environment("POSTERN_RESUME", "10");
        let mut held = world.hold(&impatient, scratch.path(), "echo")?;
        until("the session at the target", SOON, || target.open() == 1).with_context(|| held.log())?;
        let programs = tools::programs()?;
        let mut second = world::enroll(&world.owner, &programs, &scratch.join("second"), &["127.0.0.1:*"])?;
        second.run()?;
        until("two connectors online", SOON, || world::online(&world.owner) == 2)?;
        world.connector.kill()?;
        // The stream of the dead connector ends with a reason.
        let status = held.wait(SOON)?;
        assert_eq!(status.code(), Some(75), "{}", held.log());
        assert!(held.log().contains("connector"), "no reason told: {}", held.log());
        let began = Instant::now();
        round_trip(&world.alice)?;
        assert!(
            began.elapsed() <= Duration::from_secs(1),
            "{:?} until the second connector served",
            began.elapsed()
        );
        second.kill()?;
        world.connector.run()?;
        let back = until("the first connector to serve again", SOON, || round_trip(&world.alice).is_ok())?;
        assert!(back <= Duration::from_secs(2), "{back:?} until the restarted connector served");
        Ok(())
    })
}

#[test]
fn f05_with_the_database_gone_decided_things_go_on_and_changes_are_refused() -> Result<()> {
    scenario("f05", |scratch| {
        let mut server = Postgres::start()?;
        let world = on_server(scratch, &server)?;
        let target = echo(&world)?;
        round_trip(&world.alice)?;
        let mut held = hold(&world, scratch.path(), &target)?;
        server.crash()?;
        // Live sessions live, and a person whom this gateway knows opens new ones: recorded in the journal.
        round_trip(&world.alice)?;
        assert!(held.is_running(), "{}", held.log());
        // Changes and single-use secrets are refused, for now.
        assert_eq!(world.owner.apply("kind: group\nname: lost\n")?.code, 75);
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        assert!(bob.sign_in_with_browser(&world.gateway, world::ALICE.0, world::ALICE.1).is_err());
        server.restart()?;
        until("changes to be taken again", SOON, || {
            world.owner.apply("kind: group\nname: found\n").is_ok_and(|ran| ran.code == 0)
        })?;
        // What was recorded meanwhile reaches the store: the session opened in the dark is on the list.
        until("the records of the dark", SOON, || {
            world.owner.run(&["sessions", "ls"]).is_ok_and(|ran| ran.stdout.matches("echo").count() >= 3)
        })?;
        assert!(held.is_running(), "{}", held.log());
        server.stop()
    })
}

#[test]
fn f08_a_slow_database_does_not_slow_a_decision() -> Result<()> {
    scenario("f08", |scratch| {
        let server = Postgres::start()?;
        let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())), 0)?;
        let world = through_proxy(scratch, &server, &proxy)?;
        let target = echo(&world)?;
        let quick = median_open(&world)?;
        proxy.set(Way::Both, FaultPath::delayed(Duration::from_secs(2)));
        let slow = median_open(&world)?;
        assert!(
            slow <= quick * 2 + Duration::from_millis(50),
            "{quick:?} before, {slow:?} with a slow database"
        );
        proxy.set(Way::Both, FaultPath::blocked());
        let silent = median_open(&world)?;
        assert!(
            silent <= quick * 2 + Duration::from_millis(50),
            "{quick:?} before, {silent:?} with a silent database"
        );
        let began = Instant::now();
        assert_eq!(world.owner.apply("kind: group\nname: slow\n")?.code, 75);
        assert!(began.elapsed() < SOON, "an administrator waits for ever");
        proxy.heal();
        assert!(target.connections() >= 15);
        server.stop()
    })
}

#[test]
fn f10_a_silently_lost_listener_is_made_up_for_by_the_poll() -> Result<()> {
    scenario("f10", |scratch| {
        let server = Postgres::start()?;
        let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())), 0)?;
        // Two gateways would show it too; here a change comes from beside: written by a second gateway on the same store.
        let world = through_proxy(scratch, &server, &proxy)?;
        let target = echo(&world)?;
        let _held = hold(&world, scratch.path(), &target)?;
        proxy.silence_whoever_said("LISTEN");
        let other = second_gateway(scratch, &server, &world)?;
        let remote = Client::new(&tools::programs()?, &scratch.join("remote"))?;
        remote.sign_in_with_browser(&other, world::OWNER.0, world::OWNER.1)?;
        remote.apply("kind: absent\nobject: grant\nname: engineers-reach-office\n")?.expect(0)?;
        let took = until("the cut at the target", SOON, || target.open() == 0)?;
        assert!(took <= Duration::from_secs(2), "{took:?} with the poll alone");
        drop(other);
        server.stop()
    })
}

#[test]
fn f11_a_full_journal_disk_stops_new_sessions_and_spares_live_ones() -> Result<()> {
    scenario("f11", |scratch| {
        let Some(disk) = SmallDisk::mount(&scratch.directory("disk")?, 16)? else {
            skipped("f11", "mounting a small file system needs root");
            return Ok(());
        };
        let mut options = GatewayOptions::of_the_run()?;
        options.state = Some(disk.path.join("state"));
        let world = World::start_with(scratch, &options)?;
        let target = echo(&world)?;
        let mut held = hold(&world, scratch.path(), &target)?;
        disk.fill()?;
        let mut refused = None;
        // Some space may be reserved already; it is used up by a bounded number of records.
        for _ in 0..2000 {
            let ran = proxied(&world.alice, b"ping")?;
            if ran.code != 0 {
                refused = Some(ran);
                break;
            }
        }
        let refused = refused.context("a full disk refused nothing")?.expect(75)?;
        assert!(refused.stderr.contains("record"), "{}", refused.stderr);
        let reached = target.connections();
        assert_eq!(proxied(&world.alice, b"ping")?.code, 75);
        assert_eq!(target.connections(), reached, "an unrecorded session reached the target");
        assert!(held.is_running(), "{}", held.log());
        disk.free()?;
        until("new sessions after space came back", SOON, || round_trip(&world.alice).is_ok())?;
        Ok(())
    })
}

#[test]
fn f19_a_target_that_is_dead_resets_or_says_nothing_is_told_apart() -> Result<()> {
    scenario("f19", |scratch| {
        let world = World::start(scratch)?;
        let closed = postern_tests::free_port()?;
        world.add_tcp("closed", &format!("127.0.0.1:{closed}"))?;
        let refused = world.alice.run(&["proxy", "closed"])?.expect(75)?;
        assert!(refused.stderr.contains("does not accept"), "{}", refused.stderr);
        let rude = Target::start(Manner::Reset)?;
        world.add_tcp("rude", &rude.address().to_string())?;
        let reset = proxied_to(&world.alice, "rude", b"hello")?.expect(75)?;
        assert!(reset.stderr.contains("target"), "{}", reset.stderr);
        let silent = Target::start(Manner::Silent)?;
        world.add_tcp("silent", &silent.address().to_string())?;
        let mut held = world.hold(&world.alice, scratch.path(), "silent")?;
        until("the silent session", SOON, || silent.open() == 1)?;
        // A half-closed silent target answers with its own end: nothing hangs.
        let ran = proxied_to(&world.alice, "silent", b"hello")?.expect(0)?;
        assert_eq!(ran.stdout, "");
        held.stop(Signal::Term, SOON)?;
        until("the end at the silent target", SOON, || silent.open() == 0)?;
        Ok(())
    })
}

#[test]
fn f21_a_flapping_connector_disturbs_nobody_else() -> Result<()> {
    scenario("f21", |scratch| {
        let mut world = World::start(scratch)?;
        let target = echo(&world)?;
        let programs = tools::programs()?;
        world.connector.kill()?;
        let mut steady = world::enroll(&world.owner, &programs, &scratch.join("steady"), &["127.0.0.1:*"])?;
        steady.run()?;
        until("the steady connector", SOON, || round_trip(&world.alice).is_ok())?;
        let mut held = hold(&world, scratch.path(), &target)?;
        for _ in 0..sized(6, 60) {
            world.connector.run()?;
            until("the flapping connector", SOON, || world::online(&world.owner) == 2)?;
            world.connector.kill()?;
            until("a session past it", Duration::from_secs(2), || round_trip(&world.alice).is_ok())?;
        }
        assert!(held.is_running(), "{}", held.log());
        Ok(())
    })
}

#[test]
fn f34_an_acknowledged_change_survives_a_kill_of_the_embedded_gateway() -> Result<()> {
    scenario("f34", |scratch| {
        let mut world = World::start_with(scratch, &GatewayOptions::embedded())?;
        let mut acknowledged = Vec::new();
        for round in 0..sized(5, 50) {
            let owner = world.owner.clone();
            let writer = std::thread::spawn(move || writes(&owner, round));
            let pause = Duration::from_millis(150 + 90 * (round % 5));
            let began = Instant::now();
            until("a moment in the middle", SOON, || began.elapsed() >= pause)?;
            world.gateway.kill()?;
            acknowledged.extend(writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??);
            world.gateway.restart()?;
        }
        anyhow::ensure!(!acknowledged.is_empty(), "nothing was acknowledged, so nothing is shown");
        let groups = world.owner.run(&["get", "groups"])?.expect(0)?.stdout;
        for name in &acknowledged {
            assert!(groups.contains(name.as_str()), "{name} was acknowledged and is gone");
        }
        until("the connector to come back", SOON, || world::online(&world.owner) == 1)?;
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn f34_a_copy_of_the_embedded_store_opens_and_a_second_process_on_it_does_not() -> Result<()> {
    scenario("f34-copy", |scratch| {
        let mut world = World::start_with(scratch, &GatewayOptions::embedded())?;
        world.owner.apply("kind: group\nname: acknowledged\n")?.expect(0)?;
        // A moment of the disk, as a snapshot of the volume takes it.
        let copied = scratch.join("copied");
        world.gateway.process().signal(Signal::Stop)?;
        let status = tools::command("cp")?.arg("-a").arg(world.gateway.state()).arg(&copied).status()?;
        world.gateway.process().signal(Signal::Cont)?;
        anyhow::ensure!(status.success(), "cp ended with {status}");
        std::fs::remove_file(copied.join("addresses.json"))?;
        let programs = tools::programs()?;
        let second = Command::new(programs.join("postern-gateway"))
            .args(["serve", "--public-url", "https://127.0.0.1:0", "--listen", "127.0.0.1:0"])
            .args(["--internal", "127.0.0.1:0", "--state-dir"])
            .arg(world.gateway.state())
            .output()?;
        assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
        let options = GatewayOptions { state: Some(copied), ..GatewayOptions::embedded() };
        let restored = Gateway::start(&programs, &scratch.directory("restored")?, &options)?;
        let owner = Client::new(&programs, &scratch.join("again"))?;
        owner.sign_in_with_browser(&restored, world::OWNER.0, world::OWNER.1)?;
        let groups = owner.run(&["get", "groups"])?.expect(0)?.stdout;
        assert!(groups.contains("acknowledged"), "{groups}");
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn f34_a_full_disk_refuses_changes_whole_and_loses_none_of_before() -> Result<()> {
    scenario("f34-full", |scratch| {
        let Some(disk) = SmallDisk::mount(&scratch.directory("disk")?, 16)? else {
            skipped("f34", "mounting a small file system needs root");
            return Ok(());
        };
        let options = GatewayOptions { state: Some(disk.path.join("state")), ..GatewayOptions::embedded() };
        let mut world = World::start_with(scratch, &options)?;
        disk.fill()?;
        // Some space may be reserved already; it is used up by a bounded number of changes.
        let acknowledged = writes(&world.owner, 0)?;
        assert!(acknowledged.len() < 500, "a full disk refused nothing");
        let refused = world.owner.apply("kind: group\nname: too-much\n")?;
        assert_eq!(refused.code, 75, "{}", refused.stderr);
        world.gateway.kill()?;
        disk.free()?;
        world.gateway.restart()?;
        let groups = world.owner.run(&["get", "groups"])?.expect(0)?.stdout;
        assert!(acknowledged.iter().all(|name| groups.contains(name.as_str())), "{groups}");
        assert!(!groups.contains("too-much"), "{groups}");
        world.owner.apply("kind: group\nname: fits\n")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn f35_a_connector_follows_a_gateway_whose_name_moves() -> Result<()> {
    scenario("f35", |scratch| {
        let options = GatewayOptions { host: Some("localhost".to_owned()), ..GatewayOptions::of_the_run()? };
        let mut world = World::start_with(scratch, &options)?;
        let Some(names) = Names::new(scratch)? else {
            skipped("f35", "a private table of names needs root and mount namespaces");
            return Ok(());
        };
        // The name leads nowhere at first: an address on which nobody listens.
        names.point("localhost", "127.0.0.2")?;
        world.connector.kill()?;
        world.connector.run_wrapped(&names.wrapper())?;
        world.connector.await_status_failure(SOON)?;
        names.point("localhost", "127.0.0.1")?;
        let took = until("the connector at the new address", SOON, || world::online(&world.owner) == 1)?;
        assert!(took <= Duration::from_secs(10), "{took:?} after the name was right again");
        world.alice.ssh(&world.sshd, "bastion", "true")?.expect(0)?;
        Ok(())
    })
}

#[test]
fn a_stopped_database_does_not_keep_a_session_from_being_cut_by_its_hard_expiry() -> Result<()> {
    scenario("expiry-in-the-dark", |scratch| {
        let mut server = Postgres::start()?;
        let world = on_server(scratch, &server)?;
        let target = echo(&world)?;
        world.revoke_engineers()?;
        world.grant_until(Duration::from_secs(12))?;
        until("the grant in force", Duration::from_secs(2), || round_trip(&world.alice).is_ok())?;
        let mut held = hold(&world, scratch.path(), &target)?;
        server.crash()?;
        until("the cut at the target", Duration::from_secs(14), || target.open() == 0)?;
        assert_eq!(held.wait(SOON)?.code(), Some(77), "{}", held.log());
        Ok(())
    })
}

fn on_server(scratch: &Scratch, server: &Postgres) -> Result<World> {
    let store = Some(postgres::fresh_database(&server.url("postgres"))?);
    World::start_with(scratch, &GatewayOptions { store, ..GatewayOptions::default() })
}

fn through_proxy(scratch: &Scratch, server: &Postgres, proxy: &FaultProxy) -> Result<World> {
    let direct = postgres::fresh_database(&server.url("postgres"))?;
    let store = direct.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.address().port()));
    World::start_with(scratch, &GatewayOptions { store: Some(store), ..GatewayOptions::default() })
}

/// A second gateway on the same store and master key, with a way to the database of its own.
fn second_gateway(scratch: &Scratch, server: &Postgres, world: &World) -> Result<Gateway> {
    let directory = scratch.directory("other")?;
    std::fs::copy(scratch.join("gateway/master.key"), directory.join("master.key"))?;
    let name = world.gateway.store_url().and_then(|url| url.rsplit('/').next()).context("a database")?;
    let options = GatewayOptions { store: Some(server.url(name)), ..GatewayOptions::default() };
    Gateway::start(&tools::programs()?, &directory, &options)
}

fn echo(world: &World) -> Result<Target> {
    let target = Target::start(Manner::Echo)?;
    world.add_tcp("echo", &target.address().to_string())?;
    Ok(target)
}

fn hold(world: &World, directory: &Path, target: &Target) -> Result<Process> {
    let before = target.open();
    let held = world.hold(&world.alice, directory, "echo")?;
    until("the session at the target", SOON, || target.open() > before).with_context(|| held.log())?;
    Ok(held)
}

fn proxied(client: &Client, input: &[u8]) -> Result<Ran> {
    proxied_to(client, "echo", input)
}

fn proxied_to(client: &Client, resource: &str, input: &[u8]) -> Result<Ran> {
    let mut command = client.postern(&["proxy", resource]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A refused command may be gone before it reads.
        let _ = pipe.write_all(input);
    }
    Ok(child.wait_with_output()?.into())
}

fn round_trip(client: &Client) -> Result<()> {
    let ran = proxied(client, b"ping")?.expect(0)?;
    anyhow::ensure!(ran.stdout == "ping", "echoed {:?}", ran.stdout);
    Ok(())
}

/// The median time of a command that opens a session, sends, receives and ends.
fn median_open(world: &World) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        round_trip(&world.alice)?;
        times.push(began.elapsed());
    }
    times.sort();
    times.get(times.len() / 2).copied().context("five times")
}

/// Applies groups one after the other until the gateway is gone; gives those that were acknowledged.
fn writes(owner: &Client, round: u64) -> Result<Vec<String>> {
    let mut acknowledged = Vec::new();
    for number in 0..500 {
        let name = format!("g{round}x{number}x");
        if owner.apply(&format!("kind: group\nname: {name}\n"))?.code != 0 {
            break;
        }
        acknowledged.push(name);
    }
    Ok(acknowledged)
}

/// A file system of a few MiB; unmounted at the end.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path, mebibytes: u32) -> Result<Option<Self>> {
        if !tools::am_root() {
            return Ok(None);
        }
        let size = format!("size={mebibytes}m");
        let status =
            tools::command("mount")?.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).status()?;
        Ok(status.success().then(|| Self { path: path.to_path_buf() }))
    }

    fn fill(&self) -> Result<()> {
        let mut ballast = std::fs::File::create(self.path.join("ballast"))?;
        let piece = vec![0_u8; 4096];
        while ballast.write_all(&piece).is_ok() {}
        Ok(())
    }

    fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.path.join("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Ok(mut umount) = tools::command("umount") {
            let _ = umount.arg("-l").arg(&self.path).status();
        }
    }
}

/// A table of host names that only wrapped processes see: a file mounted over `/etc/hosts` in a mount namespace.
struct Names {
    file: std::path::PathBuf,
}

impl Names {
    fn new(scratch: &Scratch) -> Result<Option<Self>> {
        let file = scratch.join("hosts");
        std::fs::write(&file, "127.0.0.1 localhost\n")?;
        let names = Self { file };
        let [shell, flag, script] = names.wrapper();
        let usable = tools::am_root()
            && Command::new(shell)
                .args([flag, script, "true".to_owned()])
                .status()
                .is_ok_and(|s| s.success());
        Ok(usable.then_some(names))
    }

    /// Rewrites the table in place, so that the mount keeps showing it.
    fn point(&self, name: &str, address: &str) -> Result<()> {
        Ok(std::fs::write(&self.file, format!("{address} {name}\n"))?)
    }

    /// `sh -c SCRIPT`: what follows as `$0 $@` is run with the table in place.
    fn wrapper(&self) -> [String; 3] {
        let inner = format!("mount --bind '{}' /etc/hosts && exec \"$0\" \"$@\"", self.file.display());
        let script = format!("exec unshare -m sh -c '{}' \"$0\" \"$@\"", inner.replace('\'', "'\\''"));
        ["sh".to_owned(), "-c".to_owned(), script]
    }
}
