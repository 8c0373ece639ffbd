//! A real gateway and connector with what the figures need: a target, an sshd, and many principals with tokens.

use crate::{process::Sample, web};
use anyhow::{Context, Result};
use postern_tests::{Client, Connector, Gateway, GatewayOptions, Sshd, world};
use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Principals that sessions are spread over; each has a link of its own.
pub(crate) const PRINCIPALS: usize = 50;
const OWNER: (&str, &str) = ("olivia", "a long pass phrase for olivia");

/// Everything running; dropping it ends it.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) owner: Client,
    pub(crate) sshd: Option<Sshd>,
    /// Web applications, where they are measured.
    pub(crate) web: Option<web::Scene>,
    connector: Connector,
    directory: PathBuf,
}

impl Scene {
    /// Sets it in `directory` with the programs of `programs`.
    pub(crate) fn set(programs: &Path, directory: &Path, target: SocketAddr) -> Result<Self> {
        // Without an sshd on the machine only the banner is not measured.
        let sshd = Sshd::start(&directory.join("sshd")).ok();
        let gateway =
            Gateway::start(programs, &directory.join("gateway"), &web::options(GatewayOptions::embedded()))?;
        let owner = Client::new(programs, &directory.join("owner"))?;
        owner.bootstrap(&gateway, OWNER.0, OWNER.1)?.expect(0)?;
        owner.apply(&documents(target, sshd.as_ref().map_or(22, Sshd::port)))?.expect(0)?;
        let allow = format!("{}:*", target.ip());
        let mut connector = world::enroll(&owner, programs, &directory.join("connector"), &[&allow])?;
        connector.run()?;
        let scene = Self { gateway, owner, sshd, web: None, connector, directory: directory.to_path_buf() };
        scene.make_tokens()?;
        world::await_connector(&scene.owner)?;
        Ok(scene)
    }

    fn make_tokens(&self) -> Result<()> {
        fs::create_dir_all(self.tokens_directory())?;
        for n in 0..PRINCIPALS {
            let reply =
                self.owner.json(&["tokens", "create", "--service-account", &format!("robot-{n:02}")])?;
            let token = reply["token"].as_str().context("the reply names no token")?;
            fs::write(self.token_file(n), token)?;
        }
        Ok(())
    }

    /// One file per principal.
    pub(crate) fn tokens_directory(&self) -> PathBuf {
        self.directory.join("tokens")
    }

    pub(crate) fn token_file(&self, n: usize) -> PathBuf {
        self.tokens_directory().join(format!("robot-{n:02}"))
    }

    /// What a client's Open carries.
    pub(crate) fn open_request(&self, resumable: bool) -> String {
        let request = serde_json::json!({
            "v": 1, "resource": "bench", "action": "connect", "resumable": resumable,
        });
        request.to_string()
    }

    /// The gateway's process and the connector's.
    pub(crate) fn samples(&self) -> Result<(Sample, Sample)> {
        Ok((Sample::of(self.gateway.pid()), Sample::of(self.connector.pid().context("the connector runs")?)))
    }

    /// Takes away the grant that admits all sessions.
    pub(crate) fn revoke(&self) -> Result<()> {
        self.owner.apply("kind: absent\nobject: grant\nname: robots-reach-office\n")?.expect(0)?;
        Ok(())
    }

    /// Gives it back.
    pub(crate) fn grant(&self) -> Result<()> {
        self.owner.apply(GRANT)?.expect(0)?;
        Ok(())
    }
}

const GRANT: &str = "kind: grant\nname: robots-reach-office\nsubjects: [{group: robots}]\nresources: {site: office}\n\
                     actions: [connect]\n";

fn documents(target: SocketAddr, sshd_port: u16) -> String {
    let mut text = format!(
        "kind: site\nname: office\n---\n\
         kind: resource\nname: bench\nsite: office\ntype: tcp\ntarget: {target}\n---\n\
         kind: resource\nname: bastion\nsite: office\ntype: ssh\ntarget: 127.0.0.1:{sshd_port}\n---\n\
         kind: group\nname: robots\n---\n"
    );
    for n in 0..PRINCIPALS {
        let _ = write!(text, "kind: service_account\nname: robot-{n:02}\ngroups: [robots]\n---\n");
    }
    text.push_str(GRANT);
    text
}
