//! What the http figures need beyond the tunnel's own scene: two applications, people with cookies, nginx twice.

use super::{Way, nginx::Nginx, person::Person};
use crate::{certificates::Certificates, process::Role};
use anyhow::{Context, Result};
use postern_tests::{Client, Gateway, GatewayOptions};
use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

const DOMAIN: &str = "apps.localhost";
const PASSWORD: &str = "a long pass phrase for a visitor";
/// A session takes 1,024 requests at once, so that many WebSockets need some people.
const PEOPLE: usize = 10;
const GRANT: &str = "kind: grant\nname: visitors-open-apps\nsubjects: [{group: visitors}]\nresources: {site: office}\n\
                     actions: [http]\n";

/// A gateway's options with what the http figures ask for: one address is everybody here.
pub(crate) fn options(options: GatewayOptions) -> GatewayOptions {
    options
        .set("apps_domain", DOMAIN)
        .set("limits.connections_per_ip", "20000")
        .set("limits.connection_rate_per_ip", "20000")
        .set("limits.connection_burst_per_ip", "20000")
}

/// Everything running; dropping it ends it.
pub(crate) struct Scene {
    people: Vec<Person>,
    cookies: PathBuf,
    page: Way,
    front: Way,
    app: Way,
    _nginx: [Nginx; 2],
    _app: Role,
}

impl Scene {
    /// Adds it to a scene whose gateway has [`options`].
    pub(crate) async fn set(
        (gateway, owner): (&Gateway, &Client),
        certificates: &Certificates,
        directory: &Path,
    ) -> Result<Self> {
        let mut app = Role::start("web app", &[])?;
        let app_address = app.address().await?;
        // On this thread, which lasts: processes end with the thread that started them.
        tokio::task::block_in_place(|| {
            Self::around((gateway, owner), certificates, directory, (app, app_address))
        })
    }

    fn around(
        (gateway, owner): (&Gateway, &Client),
        certificates: &Certificates,
        directory: &Path,
        (app, app_address): (Role, SocketAddr),
    ) -> Result<Self> {
        let upstream = Nginx::upstream(&directory.join("upstream"))?;
        let front = Nginx::front(&directory.join("front"), certificates, upstream.address)?;
        publish(owner, upstream.address, app_address)?;
        let public: SocketAddr = gateway.public_address().parse()?;
        let way = |name: &str| format!("{name}.{DOMAIN}:{}", public.port());
        let (page, sockets) = (way("page"), way("sockets"));
        let mut people = Vec::new();
        for n in 0..PEOPLE {
            people.push(Person::new(gateway, &directory.join(name(n)), &name(n))?);
        }
        let first = people.first().context("somebody")?;
        let at_page = first.open(gateway, PASSWORD, &page)?;
        let mut made = Self {
            cookies: directory.join("cookies.txt"),
            page: Way { address: public, authority: page, cookie: Some(at_page) },
            front: Way {
                address: front.address,
                authority: format!("localhost:{}", front.address.port()),
                cookie: None,
            },
            app: Way { address: public, authority: sockets, cookie: None },
            people,
            _nginx: [upstream, front],
            _app: app,
        };
        made.app.cookie = made.sign_in(gateway)?.into_iter().next();
        Ok(made)
    }

    /// The file of 1 KiB through the gateway, as somebody who is signed in.
    pub(crate) fn page(&self) -> &Way {
        &self.page
    }

    /// The same file through nginx.
    pub(crate) fn front(&self) -> &Way {
        &self.front
    }

    /// The application that gives and takes.
    pub(crate) fn app(&self) -> &Way {
        &self.app
    }

    /// A file with a cookie for each person, good from the last [`Self::sign_in`] on.
    pub(crate) fn cookies(&self) -> &Path {
        &self.cookies
    }

    /// How many people there are.
    pub(crate) fn people(&self) -> usize {
        self.people.len()
    }

    /// Everybody opens the application, and signs in for it where they must; the cookies that they have there.
    pub(crate) fn sign_in(&self, gateway: &Gateway) -> Result<Vec<String>> {
        let all = self.people.iter().map(|person| person.open(gateway, PASSWORD, &self.app.authority));
        let all = all.collect::<Result<Vec<_>>>()?;
        fs::write(&self.cookies, all.join("\n"))?;
        Ok(all)
    }

    /// One of them signs out.
    pub(crate) fn sign_out(&self, n: usize) -> Result<()> {
        self.people.get(n).context("such a person")?.sign_out(&self.app.authority)
    }
}

/// Takes away what lets people open applications.
pub(crate) fn revoke(owner: &Client) -> Result<()> {
    owner.apply("kind: absent\nobject: grant\nname: visitors-open-apps\n")?.expect(0)?;
    Ok(())
}

/// Lets them in again.
pub(crate) fn grant(owner: &Client) -> Result<()> {
    owner.apply(GRANT)?.expect(0)?;
    Ok(())
}

fn publish(owner: &Client, page: SocketAddr, app: SocketAddr) -> Result<()> {
    owner.write_secret("visitor.password", PASSWORD)?;
    let mut text = "kind: group\nname: visitors\n---\n".to_owned();
    for (name, target) in [("page", page), ("sockets", app)] {
        write!(text, "kind: resource\nname: {name}\nsite: office\ntype: http\ntarget: {target}\n---\n")?;
    }
    for n in 0..PEOPLE {
        let name = name(n);
        write!(
            text,
            "kind: user\nname: {name}\ngroups: [visitors]\npassword: {{fromFile: visitor.password}}\n---\n"
        )?;
    }
    owner.apply(&(text + GRANT))?.expect(0)?;
    Ok(())
}

fn name(n: usize) -> String {
    format!("visitor-{n:02}")
}
