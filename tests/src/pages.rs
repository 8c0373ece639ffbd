//! Our own pages, used as a person uses them.

use crate::curl::{self, Answer, Browser, Form};
use anyhow::{Context, Result};

/// Application, sign-in page, provider, consent, hand-over to several hosts, and the redirects between them.
const PAGES_MAX: usize = 40;

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
    /// Where forms are filled in, if they let themselves be led to every host.
    roams: Option<&'a str>,
}

/// Where a walk ended.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The address.
    pub at: String,
    /// What is there; none where the walk does not go.
    pub page: Option<Answer>,
}

impl Arrived {
    /// The page, if it has this status.
    pub fn expect(self, status: u16) -> Result<Answer> {
        let at = self.at;
        let page = self.page.with_context(|| format!("led to {at}"))?;
        page.expect(status).with_context(|| format!("at {at}"))
    }
}

impl<'a> Walk<'a> {
    /// Somebody with a name and a password.
    pub fn new(browser: &'a Browser, name: &'a str, password: &'a str) -> Self {
        Self { browser, name, password, choice: None, roams: None }
    }

    /// Who signs in at an identity provider: by the link whose address begins with `link`, at `issuer`.
    #[must_use]
    pub fn through(self, link: &'a str, issuer: &'a str) -> Self {
        Self { choice: Some((link, issuer)), ..self }
    }

    /// Who goes wherever they are led, as browsers do; `gateway` is where they fill in forms.
    #[must_use]
    pub fn roaming(self, gateway: &'a str) -> Self {
        Self { roams: Some(gateway), ..self }
    }

    /// What they go with.
    pub fn browser(&self) -> &Browser {
        self.browser
    }

    /// Goes until no page asks for anything, and gives the last one; or until they are led elsewhere, and gives where.
    pub fn follow(&self, address: &str) -> Result<String> {
        let Arrived { at, page } = self.arrive(address)?;
        let Some(page) = page else { return Ok(at) };
        anyhow::ensure!(page.status == 200, "{at} answered {}: {}", page.status, page.body);
        Ok(page.body)
    }

    /// The same, whatever the last page says.
    pub fn arrive(&self, address: &str) -> Result<Arrived> {
        let origin = curl::origin(address);
        let (mut at, mut page) = (address.to_owned(), self.browser.navigate(address)?);
        for _ in 0..PAGES_MAX {
            if let Some(location) =
                page.header("location").map(str::to_owned).or_else(|| curl::refresh(&page.body))
            {
                at = absolute(&curl::origin(&at), &location);
                if self.roams.is_none() && !at.starts_with(&origin) && !self.is_provider(&at) {
                    return Ok(Arrived { at, page: None });
                }
                page = self.browser.navigate(&at)?;
                continue;
            }
            if let Some(link) = self.choice_on(&page) {
                at = absolute(&curl::origin(&at), &link);
                page = self.browser.navigate(&at)?;
                continue;
            }
            let form = curl::form(&page.body).filter(|_| page.status == 200 && self.fills_in(&at));
            let Some(form) = form else { return Ok(Arrived { at, page: Some(page) }) };
            if !form.action.is_empty() {
                at = absolute(&curl::origin(&at), &form.action);
            }
            page = self.submit(&at, form)?;
        }
        anyhow::bail!("{PAGES_MAX} pages and no end, last {at}")
    }

    fn submit(&self, to: &str, form: Form) -> Result<Answer> {
        let fields = form.fields.into_iter().map(|(field, value)| match field.as_str() {
            "username" | "login" => (field, self.name.to_owned()),
            "password" => (field, self.password.to_owned()),
            _ => (field, value),
        });
        let fields: Vec<(String, String)> = fields.collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        self.browser.post_form(to, &fields)
    }

    /// An application's own forms are for the test to fill in.
    fn fills_in(&self, at: &str) -> bool {
        self.roams.is_none_or(|gateway| at.starts_with(gateway)) || self.is_provider(at)
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
