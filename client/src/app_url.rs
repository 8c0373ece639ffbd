//! Addresses of applications, as people type them.

use postern_api::MyResource;
use std::{fmt, str::FromStr};
use url::Url;

/// An `https` address without anything in it that a program could read as something else than an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppUrl(Url);

impl FromStr for AppUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '`');
        if text.contains(is_odd) {
            return Err(format!("{text:?} has characters that no address has; encode them with %"));
        }
        let url: Url = text.parse().map_err(|error| format!("{text:?} is no address: {error}"))?;
        if url.scheme() != "https" || url.host().is_none() {
            return Err(format!("{text:?} is no https address of an application"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user name or password in an address ends up in logs; leave it out".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for AppUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AppUrl {
    /// The application behind this address: of those at its host, the one with the longest path.
    pub fn application<'r>(&self, resources: &'r [MyResource]) -> Option<&'r MyResource> {
        let places = resources.iter().filter_map(|resource| Some((resource, place(resource)?)));
        let here = places.filter(|(_, place)| self.is_at(place));
        here.max_by_key(|(_, place)| place.path().len()).map(|(resource, _)| resource)
    }

    fn is_at(&self, place: &Url) -> bool {
        let prefix = place.path().trim_end_matches('/');
        let below = self.0.path().strip_prefix(prefix);
        self.0.origin() == place.origin()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn place(resource: &MyResource) -> Option<Url> {
    resource.url.as_deref()?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use postern_api::{Action, ResourceKind};
    use postern_ids::{ResourceId, Timestamp};

    fn resource(name: &str, url: Option<&str>) -> MyResource {
        MyResource {
            id: ResourceId::mint(Timestamp::EPOCH, [1; 10]),
            name: name.parse().unwrap(),
            protocol: ResourceKind::Http,
            site: "office".to_owned(),
            labels: Default::default(),
            actions: vec![Action::Http],
            online: true,
            url: url.map(str::to_owned),
            host_keys: Vec::new(),
        }
    }

    #[test]
    fn s2_what_curl_or_a_shell_could_read_otherwise_is_no_address() {
        for bad in [
            "",
            "-o/etc/passwd",
            "--config",
            "@file",
            "grafana",
            "http://grafana.example/",
            "file:///etc/passwd",
            "https://",
            "https://user:secret@grafana.example/",
            "https://token@grafana.example/",
            "https://grafana.example/\"\nurl = \"https://evil.example",
            "https://grafana.example/a b",
            "https://grafana.example/`id`",
            "https://grafana.example/\\evil",
            "https://grafana.example/'",
            "https://grafana.example/\0",
        ] {
            assert!(bad.parse::<AppUrl>().is_err(), "{bad:?}");
        }
        for good in ["https://grafana.example", "https://grafana.example:8443/a?b=%22c%22&d=$(id)"] {
            assert!(good.parse::<AppUrl>().is_ok(), "{good}");
        }
    }

    #[test]
    fn an_application_is_found_by_its_host_and_the_longest_path() {
        let all = [
            resource("grafana", Some("https://apps.example/")),
            resource("api", Some("https://apps.example/api")),
            resource("other", Some("https://other.example:8443/")),
            resource("db", None),
        ];
        let found = |text: &str| {
            text.parse::<AppUrl>().unwrap().application(&all).map(|found| found.name.to_string())
        };
        assert_eq!(found("https://apps.example/x?y").as_deref(), Some("grafana"));
        assert_eq!(found("https://APPS.example:443/api/v1").as_deref(), Some("api"));
        assert_eq!(found("https://apps.example/apix").as_deref(), Some("grafana"));
        assert_eq!(found("https://other.example:8443/").as_deref(), Some("other"));
        for elsewhere in
            ["https://other.example/", "https://evil.example/", "https://apps.example.evil.example/"]
        {
            assert_eq!(found(elsewhere), None, "{elsewhere}");
        }
    }
}
