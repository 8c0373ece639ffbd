//! What people do all day, with stock OpenSSH, on both stores.

use anyhow::{Context, Result};
use postern_tests::world::{ALICE, OWNER};
use postern_tests::{Client, Manner, Process, Ran, Target, World, eventually, scenario, sized, tools, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// For waiting on processes that take milliseconds when the machine is free.
const SOON: Duration = Duration::from_secs(30);

/// A cut is due within a second after the change; what the tests demand.
const CUT_WITHIN: Duration = Duration::from_secs(1);

#[test]
fn ssh_keeps_output_errors_and_exit_codes() -> Result<()> {
    scenario("exit-codes", |scratch| {
        let world = World::start(scratch)?;
        for code in [0, 1, 7, 255] {
            let ran =
                world.alice.ssh(&world.sshd, "bastion", &format!("echo out; echo err >&2; exit {code}"))?;
            let ran = ran.expect(code)?;
            assert_eq!((ran.stdout.as_str(), ran.stderr.trim_end()), ("out\n", "err"));
        }
        Ok(())
    })
}

#[test]
fn scp_of_64_mib_keeps_every_byte_both_ways() -> Result<()> {
    scenario("scp", |scratch| {
        let world = World::start(scratch)?;
        let original = scratch.join("original");
        random_file(&original, sized(64, 1024))?;
        let (there, back) = (scratch.join("there"), scratch.join("back"));
        let up = [original.display().to_string(), format!("bastion:{}", there.display())];
        stock(&world, "scp", &["-q", &up[0], &up[1]])?.expect(0)?;
        let down = [format!("bastion:{}", there.display()), back.display().to_string()];
        stock(&world, "scp", &["-q", &down[0], &down[1]])?.expect(0)?;
        let sum = sha256(&original)?;
        assert_eq!(sha256(&there)?, sum, "up");
        assert_eq!(sha256(&back)?, sum, "down");
        Ok(())
    })
}

#[test]
fn sftp_lists_puts_and_gets() -> Result<()> {
    scenario("sftp", |scratch| {
        let world = World::start(scratch)?;
        let (here, there) = (scratch.join("here"), scratch.join("there"));
        std::fs::write(&here, "small")?;
        let batch = scratch.join("batch");
        let back = scratch.join("back");
        let commands = format!(
            "put {} {}\nls {}\nget {} {}\n",
            here.display(),
            there.display(),
            scratch.path().display(),
            there.display(),
            back.display()
        );
        std::fs::write(&batch, commands)?;
        let ran = stock(&world, "sftp", &["-q", "-b", &batch.display().to_string(), "bastion"])?.expect(0)?;
        assert!(ran.stdout.contains("there"), "{}", ran.stdout);
        assert_eq!(std::fs::read_to_string(back)?, "small");
        Ok(())
    })
}

#[test]
fn a_forwarded_port_of_ssh_reaches_what_the_far_side_reaches() -> Result<()> {
    scenario("ssh-forward", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        let port = postern_tests::free_port()?;
        let mut ssh = world.alice.openssh("ssh", &world.sshd)?;
        ssh.args([
            "-N",
            "-o",
            "ExitOnForwardFailure=yes",
            "-L",
            &format!("127.0.0.1:{port}:{}", target.address()),
        ]);
        ssh.arg("bastion");
        let _tunnel = Process::start("ssh-forward", ssh, scratch.path())?;
        let (stream, _) =
            eventually("the forwarded port", SOON, || TcpStream::connect(("127.0.0.1", port)).ok())?;
        assert_eq!(echoed(stream, b"through two tunnels")?, b"through two tunnels");
        Ok(())
    })
}

#[test]
fn git_clones_over_ssh() -> Result<()> {
    scenario("git", |scratch| {
        let world = World::start(scratch)?;
        let origin = scratch.directory("origin")?;
        let script = "git init -q . && for i in 1 2 3; do echo $i > f$i; git add .; \
                      git -c user.name=t -c user.email=t@example.com commit -qm c$i; done";
        let made = tools::command("sh")?
            .args(["-c", script])
            .current_dir(&origin)
            .env("HOME", scratch.path())
            .output()?;
        Ran::from(made).expect(0)?;
        let copy = scratch.join("copy");
        let url = format!("ssh://bastion{}", origin.display());
        world.alice.ssh_configuration(&world.sshd)?;
        let mut git = world.alice.dressed("git")?;
        let ran: Ran = git.args(["clone", "-q", &url, &copy.display().to_string()]).output()?.into();
        ran.expect(0)?;
        assert_eq!(std::fs::read_to_string(copy.join("f3"))?, "3\n");
        Ok(())
    })
}

#[test]
fn half_a_close_goes_through_and_the_other_half_stays() -> Result<()> {
    scenario("half-close", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut proxy = world.alice.postern(&["proxy", "echo"]);
        let mut child = proxy.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("a pipe")?;
        input.write_all(b"all of it")?;
        drop(input);
        let ran: Ran = child.wait_with_output()?.into();
        let ran = ran.expect(0)?;
        assert_eq!(ran.stdout, "all of it", "stdout carries bytes and nothing else");
        Ok(())
    })
}

#[test]
fn twenty_sessions_run_at_once() -> Result<()> {
    scenario("twenty", |scratch| {
        let world = World::start(scratch)?;
        world.alice.ssh_configuration(&world.sshd)?;
        let mut running = Vec::new();
        let people = sized(20, 100);
        for number in 0..people {
            let mut ssh = world.alice.openssh("ssh", &world.sshd)?;
            ssh.args([
                "bastion",
                &format!(
                    "echo open; head -c 65536 /dev/zero | wc -c; read -r line; echo $line; exit {number}"
                ),
            ]);
            ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            running.push(ssh.spawn()?);
        }
        // All are open before the first may go on.
        until("all of them at the sshd", SOON, || world.sshd.accepted() >= people)?;
        for (number, mut child) in running.into_iter().enumerate() {
            let mut input = child.stdin.take().context("a pipe")?;
            input.write_all(format!("line {number}\n").as_bytes())?;
            let ran: Ran = child.wait_with_output()?.into();
            let ran = ran.expect(i32::try_from(number)?)?;
            assert_eq!(ran.stdout, format!("open\n65536\nline {number}\n"));
        }
        Ok(())
    })
}

#[test]
fn host_keys_are_learned_by_a_probe_confirmed_by_an_owner_and_checked_by_everybodys_ssh() -> Result<()> {
    scenario("host-keys", |scratch| {
        let world = World::start(scratch)?;
        world.owner.apply(
            "kind: grant\nname: owners-reach-office\nsubjects: [{group: owners}]\nresources: {site: office}\nactions: [connect]\n",
        )?.expect(0)?;
        let ssh = || -> Result<Ran> {
            let mut postern =
                world.alice.postern(&["ssh", &format!("{}@bastion", world.sshd.user()), "--", "-F", "none"]);
            postern.arg("-i").arg(world.sshd.user_key()).args([
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=yes",
            ]);
            postern.args(["-o", "UserKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "echo", "known"]);
            Ok(postern.output()?.into())
        };
        assert_eq!(ssh()?.code, 255, "nobody vouches for the host yet");
        let key = world.sshd.host_key()?;
        let probed = world.owner.json(&["host-keys", "probe", "bastion"])?;
        assert_eq!(probed.as_array().map(Vec::len), Some(1), "{probed}");
        assert_eq!(
            (probed[0]["key"].as_str(), probed[0]["confirmed"].as_bool()),
            (Some(key.as_str()), Some(false))
        );
        assert_eq!(ssh()?.code, 255, "a key that was only seen counts for nobody");
        world.alice.run(&["host-keys", "probe", "bastion"])?.expect(77)?;

        world.owner.run(&["host-keys", "confirm", "bastion", "SHA256:AAAA"])?.expect(69)?;
        let listed =
            tools::command("ssh-keygen")?.arg("-lf").arg(scratch.join("sshd/host_key.pub")).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let fingerprint = listed.split(' ').nth(1).context("a fingerprint")?;
        let confirmed = world.owner.run(&["host-keys", "confirm", "bastion", fingerprint])?.expect(0)?;
        assert!(confirmed.stdout.contains(fingerprint), "{}", confirmed.stdout);
        until("the confirmed key at alice's ssh", SOON, || ssh().is_ok_and(|ran| ran.code == 0))?;
        assert_eq!(ssh()?.expect(0)?.stdout, "known\n");
        Ok(())
    })
}

#[test]
fn a_denied_person_reaches_no_target_and_learns_why() -> Result<()> {
    scenario("denied", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        world.revoke_engineers()?;
        let ran = proxied(&world.alice, "echo", b"do not let me in")?.expect(77)?;
        assert_eq!(ran.stdout, "");
        let decision = decision_in(&ran.stderr)?;
        assert_eq!((target.connections(), target.bytes()), (0, 0), "nothing may reach the target");
        let why = world.owner.run(&["explain", &decision])?.expect(0)?;
        assert!(why.stdout.contains("alice") && why.stdout.contains("echo"), "{}", why.stdout);
        let ssh = world.alice.ssh(&world.sshd, "bastion", "true")?;
        assert_eq!(ssh.code, 255, "{}", ssh.stderr);
        assert_eq!(world.sshd.connections(), 0);
        Ok(())
    })
}

#[test]
fn an_unknown_resource_is_told_apart_only_by_its_exit_code() -> Result<()> {
    scenario("unknown", |scratch| {
        let world = World::start(scratch)?;
        let ran = proxied(&world.alice, "no-such-thing", b"")?.expect(69)?;
        assert_eq!(ran.stdout, "");
        Ok(())
    })
}

#[test]
fn revoking_a_grant_cuts_its_live_session_within_a_second() -> Result<()> {
    scenario("revoked", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut held = hold_open(&world, scratch.path(), "echo", &target)?;
        world.revoke_engineers()?;
        let changed = Instant::now();
        let took = until("the cut at the target", SOON, || target.open() == 0)?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        let status = held.wait(SOON)?;
        assert_eq!(status.code(), Some(77), "{}", held.log());
        assert!(changed.elapsed() < SOON);
        proxied(&world.alice, "echo", b"again?")?.expect(77)?;
        assert_eq!(target.connections(), 1);
        Ok(())
    })
}

#[test]
fn a_grant_that_expires_cuts_its_live_session() -> Result<()> {
    scenario("expired", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        world.revoke_engineers()?;
        world.grant_until(Duration::from_secs(10))?;
        let in_force = || proxied(&world.alice, "echo", b"").is_ok_and(|ran| ran.code == 0);
        until("the grant in force", Duration::from_secs(2), in_force)?;
        let opened = target.connections();
        let mut held = hold_open(&world, scratch.path(), "echo", &target)?;
        until("the cut at the target", Duration::from_secs(12), || target.open() == 0)?;
        assert_eq!(held.wait(SOON)?.code(), Some(77), "{}", held.log());
        proxied(&world.alice, "echo", b"again?")?.expect(77)?;
        assert_eq!(target.connections(), opened + 1);
        Ok(())
    })
}

#[test]
fn disabling_a_person_ends_sessions_sign_ins_and_tokens_within_a_second() -> Result<()> {
    scenario("disable", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut held = hold_open(&world, scratch.path(), "echo", &target)?;
        world.owner.run(&["users", "disable", "alice"])?.expect(0)?;
        let took = until("the cut at the target", SOON, || target.open() == 0)?;
        assert!(took <= CUT_WITHIN, "{took:?} after the change");
        assert_eq!(held.wait(SOON)?.code(), Some(77), "{}", held.log());
        // The access token that she still holds is worth nothing, and neither is her refresh token.
        assert_eq!(proxied(&world.alice, "echo", b"again?")?.code, 77);
        assert_eq!(world.alice.run(&["ls"])?.code, 77);
        assert_eq!(target.connections(), 1);
        // Enabled again she must sign in anew: what was ended stays ended.
        world.owner.run(&["users", "enable", "alice"])?.expect(0)?;
        assert_eq!(world.alice.run(&["ls"])?.code, 77);
        world.alice.sign_in_with_browser(&world.gateway, ALICE.0, ALICE.1)?;
        world.alice.run(&["ls"])?.expect(0)?;
        Ok(())
    })
}

#[test]
fn an_owner_ends_one_session_and_no_other() -> Result<()> {
    scenario("end-one", |scratch| {
        let world = World::start(scratch)?;
        let target = Target::start(Manner::Echo)?;
        world.add_tcp("echo", &target.address().to_string())?;
        let mut first = hold_open(&world, scratch.path(), "echo", &target)?;
        let second_log = scratch.directory("second")?;
        let mut second = hold_open(&world, &second_log, "echo", &target)?;
        // The list is made from the store, which the records reach a moment after they are on disk.
        let both = || world.live_sessions().ok().filter(|sessions| sessions.len() == 2);
        let (sessions, _) = eventually("both sessions on the list", SOON, both)?;
        world.owner.run(&["sessions", "end", &sessions[0]])?.expect(0)?;
        until("one end at the target", SOON, || target.open() == 1)?;
        until("one client to end", SOON, || first.is_running() != second.is_running())?;
        let survivor = if first.is_running() { &mut first } else { &mut second };
        assert!(survivor.is_running());
        Ok(())
    })
}

#[test]
fn the_bootstrap_token_works_once_and_only_for_its_reader() -> Result<()> {
    scenario("bootstrap", |scratch| {
        let world = World::start(scratch)?;
        let mallory = Client::new(&tools::programs()?, &scratch.join("mallory"))?;
        let gone = !world.gateway.bootstrap_file().exists();
        if !gone {
            let mode = std::fs::metadata(world.gateway.bootstrap_file())?.permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
            let again = mallory.bootstrap(&world.gateway, "mallory", "a long pass phrase for mallory")?;
            assert_ne!(again.code, 0, "a second owner was made: {}", again.stdout);
        }
        let whoami = world.owner.run(&["whoami"])?.expect(0)?;
        assert!(whoami.stdout.contains(OWNER.0), "{}", whoami.stdout);
        assert!(!world.gateway.log().contains(OWNER.1), "a password in the log");
        Ok(())
    })
}

#[test]
fn a_person_signs_in_on_another_device() -> Result<()> {
    scenario("device-flow", |scratch| {
        let world = World::start(scratch)?;
        let bob = Client::new(&tools::programs()?, &scratch.join("bob"))?;
        bob.sign_in(&world.gateway, ALICE.0, ALICE.1)?;
        assert!(bob.run(&["whoami"])?.expect(0)?.stdout.contains(ALICE.0));
        let token_files = world.alice.home().join("postern");
        for file in files_below(&token_files)? {
            let mode = std::fs::metadata(&file)?.permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
        }
        Ok(())
    })
}

#[test]
fn signing_out_ends_the_sign_in_for_good() -> Result<()> {
    scenario("logout", |scratch| {
        let world = World::start(scratch)?;
        let stolen = scratch.join("stolen");
        copy_tree(&world.alice.home().join("postern"), &stolen.join("postern"))?;
        world.alice.run(&["logout"])?.expect(0)?;
        assert_eq!(world.alice.run(&["ls"])?.code, 77);
        let thief = Client::new(&tools::programs()?, &scratch.join("thief"))?;
        copy_tree(&stolen.join("postern"), &thief.home().join("postern"))?;
        let ran = thief.run(&["ls"])?;
        assert_eq!(ran.code, 77, "a copied sign-in outlived the sign-out: {}", ran.stdout);
        Ok(())
    })
}

#[test]
fn applying_the_same_documents_again_changes_nothing() -> Result<()> {
    scenario("apply", |scratch| {
        let world = World::start(scratch)?;
        let before = world.owner.json(&["get", "grants"])?;
        let more = "kind: group\nname: auditors\n";
        let file = scratch.join("more.yaml");
        std::fs::write(&file, more)?;
        let path = file.display().to_string();
        world.owner.run(&["apply", "-f", &path, "--dry-run"])?.expect(0)?;
        assert!(
            !world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("auditors"),
            "a dry run wrote"
        );
        world.owner.run(&["apply", "--yes", "-f", &path])?.expect(0)?;
        assert!(world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("auditors"));
        world.owner.run(&["apply", "--yes", "-f", &path])?.expect(0)?;
        assert_eq!(world.owner.json(&["get", "grants"])?, before);
        // All or nothing: the second document is wrong, so the first is not made.
        let broken =
            "kind: group\nname: half\n---\nkind: resource\nname: r\nsite: nowhere\ntype: tcp\ntarget: h:1\n";
        assert_ne!(world.owner.apply(broken)?.code, 0);
        assert!(!world.owner.run(&["get", "groups"])?.stdout.contains("half"));
        Ok(())
    })
}

#[test]
fn only_owners_administer() -> Result<()> {
    scenario("only-owners", |scratch| {
        let world = World::start(scratch)?;
        assert_eq!(world.alice.apply("kind: group\nname: mine\n")?.code, 77);
        assert_eq!(world.alice.run(&["users", "disable", "olivia"])?.code, 77);
        assert!(!world.owner.run(&["get", "groups"])?.expect(0)?.stdout.contains("mine"));
        Ok(())
    })
}

fn stock(world: &World, program: &str, arguments: &[&str]) -> Result<Ran> {
    Ok(world.alice.openssh(program, &world.sshd)?.args(arguments).output()?.into())
}

fn proxied(client: &Client, resource: &str, input: &[u8]) -> Result<Ran> {
    let mut command = client.postern(&["proxy", resource]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A refused command may be gone before it reads.
        let _ = pipe.write_all(input);
    }
    Ok(child.wait_with_output()?.into())
}

/// A `postern proxy` whose session is open at the target and stays.
fn hold_open(world: &World, directory: &Path, resource: &str, target: &Target) -> Result<Process> {
    let before = target.open();
    let held = world.hold(&world.alice, directory, resource)?;
    until("the session at the target", SOON, || target.open() > before).with_context(|| held.log())?;
    Ok(held)
}

fn decision_in(text: &str) -> Result<String> {
    let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| word.starts_with("dec_"));
    Ok(word.with_context(|| format!("no decision id in {text:?}"))?.to_owned())
}

fn echoed(mut stream: TcpStream, bytes: &[u8]) -> Result<Vec<u8>> {
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn random_file(path: &Path, mebibytes: u64) -> Result<()> {
    let mut source = std::fs::File::open("/dev/urandom")?.take(mebibytes << 20);
    std::io::copy(&mut source, &mut std::fs::File::create(path)?)?;
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let output = tools::command("sha256sum")?.arg(path).output()?;
    Ok(String::from_utf8(output.stdout)?.split(' ').next().unwrap_or_default().to_owned())
}

fn files_below(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let status = tools::command("cp")?.args(["-a"]).arg(from.join(".")).arg(to).status()?;
    anyhow::ensure!(status.success(), "cp ended with {status}");
    Ok(())
}
