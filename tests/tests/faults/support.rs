//! What the tests of faults do again and again.

use anyhow::{Context, Result};
use postern_tests::{Client, Manner, Process, Ran, Target, World, until};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) fn echo(world: &World) -> Result<Target> {
    let target = Target::start(Manner::Echo)?;
    world.add_tcp("echo", &target.address().to_string())?;
    Ok(target)
}

pub(crate) fn hold(world: &World, directory: &Path, target: &Target) -> Result<Process> {
    let before = target.open();
    let held = world.hold(&world.alice, directory, "echo")?;
    until("the session at the target", SOON, || target.open() > before).with_context(|| held.log())?;
    Ok(held)
}

pub(crate) fn proxied(client: &Client, input: &[u8]) -> Result<Ran> {
    proxied_to(client, "echo", input)
}

pub(crate) fn proxied_to(client: &Client, resource: &str, input: &[u8]) -> Result<Ran> {
    let mut command = client.postern(&["proxy", resource]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A refused command may be gone before it reads.
        let _ = pipe.write_all(input);
    }
    Ok(child.wait_with_output()?.into())
}

pub(crate) fn round_trip(client: &Client) -> Result<()> {
    let ran = proxied(client, b"ping")?.expect(0)?;
    anyhow::ensure!(ran.stdout == "ping", "echoed {:?}", ran.stdout);
    Ok(())
}
