//! Stock OpenSSH and what people run over it.

use crate::SOON;
use anyhow::{Context, Result};
use postern_tests::{Manner, Process, Ran, Target, World, eventually, scenario, sized, tools, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Stdio;

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

fn stock(world: &World, program: &str, arguments: &[&str]) -> Result<Ran> {
    Ok(world.alice.openssh(program, &world.sshd)?.args(arguments).output()?.into())
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
