//! People with browsers, who sign in as people do.

use anyhow::{Context, Result};
use postern_tests::{Gateway, curl::Browser, pages::Walk};
use std::{
    fs,
    path::{Path, PathBuf},
};

const COOKIE: &str = "__Host-postern-app";

/// Somebody at a browser of their own.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    browser: Browser,
    home: PathBuf,
}

impl Person {
    pub(super) fn new(gateway: &Gateway, home: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(home)?;
        Ok(Self { name: name.to_owned(), browser: gateway.browser(home), home: home.to_path_buf() })
    }

    /// Opens an application, signs in on the way, and gives the cookie that they have there then.
    pub(super) fn open(&self, gateway: &Gateway, password: &str, authority: &str) -> Result<String> {
        let walk = Walk::new(&self.browser, &self.name, password).roaming(gateway.url());
        walk.arrive(&format!("https://{authority}/"))?.expect(200)?;
        self.cookie(authority)
    }

    /// Signs out at an application, which ends everything of this sign-in.
    pub(super) fn sign_out(&self, authority: &str) -> Result<()> {
        let answer = self.browser.post_form(&format!("https://{authority}/.postern/sign-out"), &[])?;
        anyhow::ensure!(answer.status < 400, "sign-out answered {}: {}", answer.status, answer.body);
        Ok(())
    }

    fn cookie(&self, authority: &str) -> Result<String> {
        let host = authority.split(':').next().unwrap_or_default();
        let jar = fs::read_to_string(self.home.join("cookies.txt"))?;
        let value = jar.lines().find_map(|line| {
            let fields: Vec<&str> = line.trim_start_matches("#HttpOnly_").split('\t').collect();
            match fields[..] {
                [of, _, _, _, _, COOKIE, value] if of == host => Some(value.to_owned()),
                _ => None,
            }
        });
        let value = value.with_context(|| format!("{} has no cookie at {host}", self.name))?;
        Ok(format!("{COOKIE}={value}"))
    }
}
