//! A person with a browser that has no JavaScript: curl, its cookies, and forms filled in as they come.

use crate::curl::{Answer, Browser};
use crate::idp::Idp;
use crate::pages::{Arrived, Walk};
use crate::{Gateway, tools};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Somebody who visits applications.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Their browser.
    pub browser: Browser,
    home: PathBuf,
    authority: PathBuf,
    gateway: String,
    person: (String, String),
    /// Where they choose to sign in, and its issuer; none for a local account.
    provider: Option<(String, String)>,
}

impl Visitor {
    /// A person with a browser of their own, which keeps everything in `home`.
    pub fn new(gateway: &Gateway, home: &Path, person: (&str, &str)) -> Result<Self> {
        fs::create_dir_all(home)?;
        Ok(Self {
            browser: gateway.browser(home),
            home: home.to_path_buf(),
            authority: gateway.authority(),
            gateway: gateway.url().to_owned(),
            person: (person.0.to_owned(), person.1.to_owned()),
            provider: None,
        })
    }

    /// The same person, who signs in at an identity provider that the gateway knows by `link`.
    pub fn through(mut self, idp: &Idp, link: &str) -> Result<Self> {
        let both = [fs::read(&self.authority)?, fs::read(idp.certificate())?].concat();
        self.authority = self.home.join("authorities.pem");
        fs::write(&self.authority, both)?;
        self.browser = Browser::new(&self.authority, &self.home);
        self.provider = Some((link.to_owned(), idp.issuer().to_owned()));
        Ok(self)
    }

    /// Opens an address and does what the pages on the way ask for.
    pub fn visit(&self, url: &str) -> Result<Arrived> {
        let walk = Walk::new(&self.browser, &self.person.0, &self.person.1).roaming(&self.gateway);
        match &self.provider {
            Some((link, issuer)) => walk.through(link, issuer).arrive(url),
            None => walk.arrive(url),
        }
    }

    /// Fetches as a script of a page does: cookies, no page wanted.
    pub fn fetch(&self, url: &str) -> Result<Answer> {
        self.browser.get(url)
    }

    /// curl with this person's cookies, for what needs options of its own; it prints only the body.
    pub fn curl(&self, arguments: &[&str]) -> Result<Command> {
        let mut curl = tools::command("curl")?;
        curl.args(["--disable", "--silent", "--show-error", "--max-time", "120", "--noproxy", "*"]);
        curl.arg("--cacert").arg(&self.authority).arg("--cookie").arg(self.home.join("cookies.txt"));
        curl.args(arguments).current_dir(&self.home).stdin(Stdio::null());
        Ok(curl)
    }

    /// What curl prints.
    pub fn curled(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.curl(arguments)?.output().context("start curl")?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        anyhow::ensure!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
        Ok(said)
    }

    /// Their directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The value of a cookie that they have at a host.
    pub fn cookie(&self, host: &str, name: &str) -> Result<String> {
        let jar = fs::read_to_string(self.home.join("cookies.txt"))?;
        let of_host = |line: &&str| line.trim_start_matches("#HttpOnly_").starts_with(&format!("{host}\t"));
        let fields = jar.lines().filter(of_host).map(|line| line.split('\t').collect::<Vec<_>>());
        let value =
            fields.filter(|fields| fields.get(5) == Some(&name)).find_map(|fields| fields.get(6).copied());
        value.map(str::to_owned).with_context(|| format!("no cookie {name} at {host} in\n{jar}"))
    }

    /// The line that carries their right to an application: for clients other than curl.
    pub fn cookie_line(&self, authority: &str) -> Result<String> {
        let host = authority.split(':').next().unwrap_or_default();
        Ok(format!("__Host-postern-app={}", self.cookie(host, "__Host-postern-app")?))
    }
}
