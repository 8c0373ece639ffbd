//! The scene of the demo: a private sshd, a private web application, a gateway with the embedded store, a connector, an owner
//! and an engineer.

use super::directory;
use super::steps::Steps;
use crate::workspace;
use anyhow::{Context, Result};
use postern_tests::apps::{self, Greeter};
use postern_tests::world::{self, ALICE, OWNER};
use postern_tests::{Client, Connector, Gateway, GatewayOptions, Process, Scratch, Sshd};
use std::time::Duration;

/// Everything that runs.
pub(super) struct Scene {
    pub(super) gateway: Gateway,
    pub(super) sshd: Sshd,
    /// It answers for as long as this is here.
    _app: Greeter,
    pub(super) connector: Connector,
    pub(super) owner: Client,
    pub(super) alice: Client,
    pub(super) scratch: Scratch,
}

/// Sets it up, step by step.
pub(super) fn set(steps: &mut Steps) -> Result<Scene> {
    let scratch = Scratch::lasting(&directory())?;
    let programs = workspace::programs();
    let sshd = steps.take("start a private sshd; no port of the gateway leads to it", || {
        Sshd::start(&scratch.join("sshd"))
    })?;
    let app = steps.take("start a private web application", Greeter::start)?;
    let gateway = steps.take("start the gateway with an empty, embedded store", || {
        let options = GatewayOptions::embedded().set("apps_domain", apps::DOMAIN);
        Gateway::start(&programs, &scratch.join("gateway"), &options)
    })?;
    let owner = steps.take("turn the bootstrap token into the owner, olivia", || {
        let owner = Client::new(&programs, &scratch.join("olivia"))?;
        owner.bootstrap(&gateway, OWNER.0, OWNER.1)?.expect(0)?;
        Ok(owner)
    })?;
    steps.take("apply site, resource, group, user and grant from YAML", || {
        owner.write_secret("alice.password", ALICE.1)?;
        owner.apply(&world::documents(sshd.port()))?.expect(0)?;
        owner.apply(&published(&app))?.expect(0)
    })?;
    let connector = steps.take("enroll a connector and let it dial in", || {
        let allow = [format!("127.0.0.1:{}", sshd.port()), app.address().to_string()];
        let allow = allow.each_ref().map(String::as_str);
        let mut connector = world::enroll(&owner, &programs, &scratch.join("connector"), &allow)?;
        connector.run()?;
        world::await_connector(&owner)?;
        Ok(connector)
    })?;
    let alice = steps.take("sign alice in: the real form, over HTTP", || {
        let alice = Client::new(&programs, &scratch.join("alice"))?;
        alice.sign_in_with_browser(&gateway, ALICE.0, ALICE.1)?;
        alice.ssh_configuration(&sshd)?;
        Ok(alice)
    })?;
    Ok(Scene { gateway, sshd, _app: app, connector, owner, alice, scratch })
}

/// The application under its name, and who may open it.
fn published(app: &Greeter) -> String {
    format!(
        "kind: resource\nname: hello\nsite: office\ntype: http\ntarget: {}\nweb: {{}}\n---\n\
         kind: grant\nname: engineers-open-hello\nsubjects: [{{group: engineers}}]\nresources: {{names: [hello]}}\n\
         actions: [http]\n",
        app.address()
    )
}

impl Scene {
    /// The address of the web application. Every name below `localhost` is this machine's own.
    pub(super) fn app_url(&self) -> String {
        let port = self.gateway.public_address().rsplit(':').next().unwrap_or_default();
        format!("https://hello.{}:{port}", apps::DOMAIN)
    }

    /// What a person can do now.
    pub(super) fn what_to_type(&self) -> String {
        let (owner, alice) = (self.owner.home().display(), self.alice.home().display());
        let url = self.gateway.url();
        let logs = self.scratch.path().display();
        let app = self.app_url();
        let authority = self.gateway.authority();
        let authority = authority.display();
        let (name, password) = ALICE;
        format!(
            "
Postern runs. No port leads to the sshd or to the web application: alice reaches both through the gateway, because a policy
says so.

  In a browser: {app}
      Sign in as {name} / {password}, and see who you are.
      The gateway's certificate is of its own making; trust it once, and start the browser again:
      Debian, Ubuntu  mkdir -p $HOME/.pki/nssdb && certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n postern-demo -i {authority}
                      (certutil is in the package libnss3-tools)
      Fedora          sudo trust anchor {authority}
      macOS           security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {authority}
      Windows         certutil -user -addstore Root {authority}
      Firefox         Settings, Certificates, Import

  As alice, in another terminal:
      export POSTERN_HOME={alice}/postern PATH={alice}/bin:$PATH
      postern ls                                        # what may I reach?
      postern curl {app}/.postern/whoami   # the web application, without a browser
      ssh -F {alice}/ssh_config bastion
                                                        # stock OpenSSH, through `postern proxy`

  As the owner, in a third one, while alice's session is open:
      export POSTERN_HOME={owner}/postern PATH={owner}/bin:$PATH
      postern sessions ls
      postern users disable alice                       # whatever alice has open is cut within a second
      postern explain --user alice --resource bastion   # may she, and why not?
      postern users enable alice                        # she signs in again, with `postern login`
      postern get grants -o yaml > grants.yaml          # the rules: change them, then
      postern apply -f grants.yaml                      # shows the plan and asks

  Gateway {url}
  Logs    {logs}
  Ctrl-C ends everything.
"
        )
    }

    /// Stays until Ctrl-C, or until a part of the scene ends by itself.
    pub(super) fn stay(&mut self) -> Result<()> {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            alive("the gateway", self.gateway.process())?;
            alive("the connector", self.connector.process()?)?;
        }
    }
}

fn alive(name: &str, process: &mut Process) -> Result<()> {
    process.is_running().then_some(()).with_context(|| format!("{name} ended:\n{}", process.log_tail()))
}
