//! Our own pages, used as a person uses them.

use crate::curl::{self, Answer, Browser};
use anyhow::Result;

/// Device page, sign-in page, provider, consent, result, and the redirects between them.
const PAGES_MAX: usize = 20;

/// Walks the pages as a browser without JavaScript does: follows redirects, fills in every form it meets, ends where none is.
pub fn approve(browser: &Browser, address: &str, name: &str, password: &str) -> Result<String> {
    Walk::new(browser, name, password).follow(address)
}

/// A person on their way through pages.
#[derive(Debug)]
pub struct Walk<'a> {
    browser: &'a Browser,
    name: &'a str,
    password: &'a str,
    /// The link that they choose on the sign-in page, by the beginning of its address, and where it leads.
    choice: Option<(&'a str, &'a str)>,
}

impl<'a> Walk<'a> {
    /// Somebody with a name and a password.
    pub fn new(browser: &'a Browser, name: &'a str, password: &'a str) -> Self {
        Self { browser, name, password, choice: None }
    }

    /// Who signs in at an identity provider: by the link whose address begins with `link`, at `issuer`.
    #[must_use]
    pub fn through(self, link: &'a str, issuer: &'a str) -> Self {
        Self { choice: Some((link, issuer)), ..self }
    }

    /// What they go with.
    pub fn browser(&self) -> &Browser {
        self.browser
    }

    /// Goes until no page asks for anything, and gives the last one; or until they are led elsewhere, and gives where.
    pub fn follow(&self, address: &str) -> Result<String> {
        let origin = curl::origin(address);
        let (mut at, mut page) = (address.to_owned(), self.browser.get(address)?);
        for _ in 0..PAGES_MAX {
            if let Some(location) =
                page.header("location").map(str::to_owned).or_else(|| curl::refresh(&page.body))
            {
                at = absolute(&curl::origin(&at), &location);
                if !at.starts_with(&origin) && !self.is_provider(&at) {
                    return Ok(at);
                }
                page = self.browser.get(&at)?;
                continue;
            }
            anyhow::ensure!(page.status == 200, "{at} answered {}: {}", page.status, page.body);
            if let Some(link) = self.choice_on(&page) {
                at = absolute(&origin, &link);
                page = self.browser.get(&at)?;
                continue;
            }
            let Some(form) = curl::form(&page.body) else { return Ok(page.body) };
            let fields = form.fields.into_iter().map(|(field, value)| match field.as_str() {
                "username" | "login" => (field, self.name.to_owned()),
                "password" => (field, self.password.to_owned()),
                _ => (field, value),
            });
            let fields: Vec<(String, String)> = fields.collect();
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
            if !form.action.is_empty() {
                at = absolute(&curl::origin(&at), &form.action);
            }
            page = self.browser.post_form(&at, &fields)?;
        }
        anyhow::bail!("{PAGES_MAX} pages and no end, last {at}")
    }

    fn is_provider(&self, address: &str) -> bool {
        self.choice.is_some_and(|(_, issuer)| address.starts_with(issuer))
    }

    fn choice_on(&self, page: &Answer) -> Option<String> {
        let (link, _) = self.choice?;
        let (_, rest) = page.body.split_once(&format!("href=\"{link}"))?;
        let (rest, _) = rest.split_once('"')?;
        Some(format!("{link}{}", rest.replace("&amp;", "&")))
    }
}

fn absolute(origin: &str, location: &str) -> String {
    if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() }
}
