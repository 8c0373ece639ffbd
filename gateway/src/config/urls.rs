//! The addresses of gateways: the one that people know, and those of each node.

use super::{Origin, reader::Reader};
use url::Url;

/// Addresses in the list: more would make a dial try for minutes.
const GATEWAYS_MAX: usize = 16;

impl Reader<'_> {
    pub(super) fn public_url(&mut self) -> Option<Url> {
        const HINT: &str = "write the URL that people use, such as https://postern.example.com";
        let Some(text) = self.text("public_url") else {
            self.wrong(Origin::Nowhere, "public_url is missing", HINT);
            return None;
        };
        self.bare_https("public_url", &text, HINT)
    }

    /// The list as it was written; none of it when anything in it is wrong.
    pub(super) fn gateways(&mut self) -> Vec<Url> {
        const HINT: &str = "list the URL of each gateway, such as [\"https://gw1.example.com\", \"https://gw2.example.com\"]";
        let Some(entry) = self.settings.entry("gateways") else { return Vec::new() };
        let at = entry.at.clone();
        let words: Vec<String> =
            entry.items.iter().flat_map(|item| item.split(',')).map(|word| word.trim().to_owned()).collect();
        let mut urls: Vec<Url> = Vec::new();
        for word in words.iter().filter(|word| !word.is_empty()) {
            let Some(url) = self.bare_https("gateways", word, HINT) else { continue };
            if url.port() == Some(0) {
                let what = format!("gateways: {word:?} has no port that others could dial");
                self.wrong(at.clone(), what, "write the port that this gateway is reached at");
            } else if urls.contains(&url) {
                let what = format!("gateways: {word:?} is listed twice");
                self.wrong(at.clone(), what, "list each gateway once");
            } else {
                urls.push(url);
            }
        }
        if urls.len() > GATEWAYS_MAX {
            let what = format!("gateways lists {} addresses, at most {GATEWAYS_MAX} are tried", urls.len());
            self.wrong(at, what, "list those that clients should try first");
        }
        urls
    }

    fn bare_https(&mut self, key: &str, text: &str, hint: &str) -> Option<Url> {
        let at = self.at(key);
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                self.wrong(at, format!("{key} = {text:?}: {error}"), hint);
                return None;
            }
        };
        let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "https" || url.host().is_none() || !plain || !anonymous {
            self.wrong(at, format!("{key} = {text:?} is not a bare https URL"), hint);
            return None;
        }
        Some(url)
    }
}
