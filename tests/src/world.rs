//! The usual scene: one gateway, one site with a connector and an sshd that no port is open to, an owner, and alice.

use crate::{Client, Connector, Gateway, GatewayOptions, Process, Scratch, Sshd, tools, wait};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// The owner's name and password.
pub const OWNER: (&str, &str) = ("olivia", "a long pass phrase for olivia");

/// The name and password of an engineer.
pub const ALICE: (&str, &str) = ("alice", "a long pass phrase for alice");

/// A connector on a busy machine is online within this.
const ONLINE_WITHIN: Duration = Duration::from_secs(20);

/// A change is in force within this.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

/// Everything a journey needs, running.
#[derive(Debug)]
pub struct World {
    /// The gateway.
    pub gateway: Gateway,
    /// The private sshd, as the resource `bastion`.
    pub sshd: Sshd,
    /// The connector of the site `office`.
    pub connector: Connector,
    /// The owner, signed in.
    pub owner: Client,
    /// An engineer, signed in; the group `engineers` may connect to `bastion`.
    pub alice: Client,
}

impl World {
    /// Sets the scene in a directory, on the store that the run asks for.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        Self::start_with(scratch, &GatewayOptions::of_the_run()?)
    }

    /// Sets the scene with a gateway as wanted.
    pub fn start_with(scratch: &Scratch, options: &GatewayOptions) -> Result<Self> {
        let programs = tools::programs()?;
        let sshd = Sshd::start(&scratch.join("sshd"))?;
        let gateway = Gateway::start(&programs, &scratch.join("gateway"), options)?;
        let owner = Client::new(&programs, &scratch.join("olivia"))?;
        owner.bootstrap(&gateway, OWNER.0, OWNER.1)?.expect(0)?;
        owner.write_secret("alice.password", ALICE.1)?;
        owner.apply(&documents(sshd.port()))?.expect(0)?;
        let mut connector = enroll(&owner, &programs, &scratch.join("connector"), &["127.0.0.1:*"])?;
        connector.run()?;
        let alice = Client::new(&programs, &scratch.join("alice"))?;
        alice.sign_in_with_browser(&gateway, ALICE.0, ALICE.1)?;
        let world = Self { gateway, sshd, connector, owner, alice };
        world.await_connector()?;
        Ok(world)
    }

    /// Waits until a connector of the site is online.
    pub fn await_connector(&self) -> Result<Duration> {
        await_connector(&self.owner)
    }

    /// Adds a TCP resource at the site `office`; engineers may connect to it.
    pub fn add_tcp(&self, name: &str, target: &str) -> Result<()> {
        let document = format!("kind: resource\nname: {name}\nsite: office\ntype: tcp\ntarget: {target}\n");
        self.owner.apply(&document)?.expect(0)?;
        // The change is in the store at once, and in force a moment later.
        let listed = || self.alice.run(&["ls"]).is_ok_and(|ran| ran.stdout.contains(name));
        wait::until("the resource in force", IN_FORCE_WITHIN, listed)?;
        Ok(())
    }

    /// Lets engineers in again, for so long.
    pub fn grant_until(&self, limit: Duration) -> Result<()> {
        grant_engineers_for(&self.owner, limit)
    }

    /// Lets engineers in again.
    pub fn grant_engineers(&self) -> Result<()> {
        self.owner.apply(grant())?.expect(0)?;
        Ok(())
    }

    /// The ids of the sessions that live.
    pub fn live_sessions(&self) -> Result<Vec<String>> {
        let list = items(&self.owner.json(&["sessions", "ls"])?);
        let live = list.iter().filter(|session| session["live"] == Value::Bool(true));
        Ok(live.filter_map(|session| session["id"].as_str()).map(str::to_owned).collect())
    }

    /// `postern proxy` with an input that stays open and silent; its log lies in `directory`.
    pub fn hold(&self, person: &Client, directory: &Path, resource: &str) -> Result<Process> {
        Process::start_with_open_input(
            &format!("proxy-{resource}"),
            person.postern(&["proxy", resource]),
            directory,
        )
    }

    /// Takes away what lets engineers in.
    pub fn revoke_engineers(&self) -> Result<()> {
        revoke_engineers(&self.owner)
    }
}

/// Lets engineers in, for so long.
pub fn grant_engineers_for(owner: &Client, limit: Duration) -> Result<()> {
    let end = format!("+{} seconds", limit.as_secs());
    let output = tools::command("date")?.args(["-u", "-d", &end, "+%Y-%m-%dT%H:%M:%SZ"]).output()?;
    let end = String::from_utf8(output.stdout)?;
    let document = format!("{}expires_at: {}\n", grant(), end.trim());
    owner.apply(&document)?.expect(0)?;
    Ok(())
}

/// Takes away what lets engineers in.
pub fn revoke_engineers(owner: &Client) -> Result<()> {
    owner.apply("kind: absent\nobject: grant\nname: engineers-reach-office\n")?.expect(0)?;
    Ok(())
}

/// Registers a connector for the site `office`.
pub fn enroll(owner: &Client, programs: &Path, directory: &Path, allow: &[&str]) -> Result<Connector> {
    let reply = owner.json(&["tokens", "create", "--site", "office"])?;
    let token = reply["token"].as_str().context("the reply names no token")?;
    Connector::enroll(programs, directory, token, allow)
}

/// Waits until one connector is online.
pub fn await_connector(owner: &Client) -> Result<Duration> {
    wait::until("a connector online", ONLINE_WITHIN, || online(owner) > 0)
}

/// How many connectors the gateway has links to.
pub fn online(owner: &Client) -> usize {
    let Ok(list) = owner.json(&["connectors", "ls"]) else { return 0 };
    items(&list).iter().filter(|connector| connector["online"] == Value::Bool(true)).count()
}

/// The entries of a list as the command prints it.
fn items(list: &Value) -> Vec<Value> {
    list.as_array().or_else(|| list["items"].as_array()).cloned().unwrap_or_default()
}

/// The grant that lets engineers into the site.
fn grant() -> &'static str {
    "kind: grant\nname: engineers-reach-office\nsubjects: [{group: engineers}]\nresources: {site: office}\nactions: [connect]\n"
}

/// The site `office` with its sshd, the engineers, alice, and the grant that joins them.
pub fn documents(sshd_port: u16) -> String {
    format!(
        "kind: site\nname: office\n---\n\
         kind: resource\nname: bastion\nsite: office\ntype: ssh\ntarget: 127.0.0.1:{sshd_port}\nlabels: {{env: prod}}\n---\n\
         kind: group\nname: engineers\n---\n\
         kind: user\nname: alice\ngroups: [engineers]\npassword: {{fromFile: alice.password}}\n---\n\
         {}",
        grant()
    )
}
