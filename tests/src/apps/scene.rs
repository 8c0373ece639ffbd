//! The usual scene with two web applications in it, `alpha` and `beta`: one server, told apart by their hosts.

use super::{AppServer, Visitor};
use crate::{Gateway, GatewayOptions, Scratch, World, curl::Browser, wait, world::ALICE};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the applications of a scene have their names. Every name below `localhost` is this machine's own.
pub const DOMAIN: &str = "apps.localhost";

/// A change is in force within this.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

const GRANT: &str = "kind: grant\nname: engineers-open-apps\nsubjects: [{group: engineers}]\nresources: {site: office}\n\
                     actions: [http]\n";

/// Everything that a visit needs, running.
#[derive(Debug)]
pub struct Scene {
    /// Gateway, connector, owner and alice.
    pub world: World,
    /// What is behind `alpha` and `beta`.
    pub app: AppServer,
    directory: PathBuf,
}

/// The options of a gateway that publishes applications, on the store that the run asks for.
pub fn options() -> Result<GatewayOptions> {
    Ok(GatewayOptions::of_the_run()?.set("apps_domain", DOMAIN))
}

impl Scene {
    /// Sets it: engineers may open both.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        Self::start_with(scratch, &options()?)
    }

    /// The same with a gateway as wanted.
    pub fn start_with(scratch: &Scratch, options: &GatewayOptions) -> Result<Self> {
        let app = AppServer::start(&scratch.join("app"), None)?;
        let world = World::start_with(scratch, options)?;
        let scene = Self { world, app, directory: scratch.path().to_path_buf() };
        scene.world.owner.apply(GRANT)?.expect(0)?;
        scene.publish("alpha", &scene.app.target(), "{}")?;
        scene.publish("beta", &scene.app.target(), "{}")?;
        Ok(scene)
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.world.gateway
    }

    /// The host of an application, with the port.
    pub fn authority(&self, name: &str) -> String {
        let port = self.gateway().public_address().rsplit(':').next().unwrap_or_default().to_owned();
        format!("{name}.{DOMAIN}:{port}")
    }

    /// An address at an application.
    pub fn url(&self, name: &str, path: &str) -> String {
        format!("https://{}{path}", self.authority(name))
    }

    /// Publishes an application, or publishes it differently; `web` is YAML in one line.
    pub fn publish(&self, name: &str, target: &str, web: &str) -> Result<()> {
        let document =
            format!("kind: resource\nname: {name}\nsite: office\ntype: http\ntarget: {target}\nweb: {web}\n");
        self.world.owner.apply(&document)?.expect(0)?;
        let nobody = Browser::new(&self.gateway().authority(), Path::new("/dev"));
        let url = self.url(name, "/.postern/whoami");
        let is_there = || nobody.get(&url).is_ok_and(|answer| answer.status == 401);
        wait::until("the application in force", IN_FORCE_WITHIN, is_there)?;
        Ok(())
    }

    /// A person with a browser of their own who has not signed in anywhere; `name` tells browsers apart.
    pub fn visitor(&self, name: &str, person: (&str, &str)) -> Result<Visitor> {
        Visitor::new(self.gateway(), &self.directory.join("visitors").join(name), person)
    }

    /// Alice, signed in at `alpha`.
    pub fn alice(&self) -> Result<Visitor> {
        let alice = self.visitor("alice", ALICE)?;
        alice.visit(&self.url("alpha", "/"))?.expect(200)?;
        Ok(alice)
    }

    /// Takes away what lets engineers open applications.
    pub fn revoke(&self) -> Result<()> {
        self.world.owner.apply("kind: absent\nobject: grant\nname: engineers-open-apps\n")?.expect(0)?;
        Ok(())
    }

    /// Lets them in again.
    pub fn grant(&self) -> Result<()> {
        self.world.owner.apply(GRANT)?.expect(0)?;
        Ok(())
    }
}
