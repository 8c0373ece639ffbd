//! What `postern proxy` costs before OpenSSH sees the sshd's banner.

use super::Plan;
use crate::{
    report::{Bar, Figure, Report, Whose},
    scene::Scene,
    stack::Stack,
};
use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    process::{Command, Stdio},
    time::Instant,
};

const SAMPLES: usize = 5;

const DIRECT: Figure = Figure { name: "sshd's banner, direct connection", unit: "ms", bar: Bar::Told };
const MORE: Figure = Figure {
    name: "sshd's banner through `postern proxy`, more than direct",
    unit: "ms",
    bar: Bar::AtMost(40.0),
};

pub(super) async fn measure(plan: &Plan, ours: &Stack, report: &mut Report) -> Result<()> {
    let Some(scene) = &ours.scene else { return Ok(()) };
    let Some(port) = scene.sshd.as_ref().map(postern_tests::Sshd::port) else {
        eprintln!("no sshd on this machine: the banner is not measured");
        return Ok(());
    };
    tokio::task::block_in_place(|| {
        through_proxy(scene)?;
        for _ in 0..plan.rounds.max(SAMPLES) {
            let direct = direct(port)?;
            report.add(DIRECT, Whose::Ours, direct);
            report.add(MORE, Whose::Ours, through_proxy(scene)? - direct);
        }
        Ok(())
    })
}

fn direct(port: u16) -> Result<f64> {
    let begun = Instant::now();
    read_banner(TcpStream::connect(("127.0.0.1", port))?)?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

fn through_proxy(scene: &Scene) -> Result<f64> {
    let token = std::fs::read_to_string(scene.token_file(0))?;
    let mut command: Command = scene.owner.postern(&["proxy", "bastion"]);
    command.env("POSTERN_TOKEN", token.trim()).env("POSTERN_GATEWAY", scene.gateway.url());
    command.env("POSTERN_CA_FILE", scene.gateway.authority());
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let read = read_banner(child.stdout.take().context("a piped stdout")?);
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    child.kill()?;
    child.wait()?;
    read.map(|()| millis)
}

fn read_banner(from: impl std::io::Read) -> Result<()> {
    let mut line = String::new();
    BufReader::new(from).read_line(&mut line)?;
    anyhow::ensure!(line.starts_with("SSH-2.0-"), "no banner but {line:?}");
    Ok(())
}
