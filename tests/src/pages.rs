//! Our own pages, used as a person uses them.

use crate::curl::{self, Browser};
use anyhow::Result;

/// Walks the pages as a browser without JavaScript does: follows redirects, fills in every form it meets, ends where none is.
pub fn approve(browser: &Browser, address: &str, name: &str, password: &str) -> Result<String> {
    /// Device page, sign-in page, consent, result, and the redirects between them.
    const PAGES_MAX: usize = 12;
    let origin = curl::origin(address);
    let mut page = browser.get(address)?;
    let mut at = address.to_owned();
    for _ in 0..PAGES_MAX {
        if let Some(location) =
            page.header("location").map(str::to_owned).or_else(|| curl::refresh(&page.body))
        {
            at = absolute(&origin, &location);
            if !at.starts_with(&origin) {
                return Ok(at);
            }
            page = browser.get(&at)?;
            continue;
        }
        anyhow::ensure!(page.status == 200, "{at} answered {}: {}", page.status, page.body);
        let Some(form) = curl::form(&page.body) else { return Ok(page.body) };
        let fields: Vec<(String, String)> = form
            .fields
            .into_iter()
            .map(|(field, value)| match field.as_str() {
                "username" => (field, name.to_owned()),
                "password" => (field, password.to_owned()),
                _ => (field, value),
            })
            .collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
        if !form.action.is_empty() {
            at = absolute(&origin, &form.action);
        }
        page = browser.post_form(&at, &fields)?;
    }
    anyhow::bail!("{PAGES_MAX} pages and no end, last {at}")
}

fn absolute(origin: &str, location: &str) -> String {
    if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() }
}
