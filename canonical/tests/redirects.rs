//! O5: a corpus of redirect targets, put together from what browsers and parsers are known to read differently. Whatever is
//! accepted must lead to the host itself or to the registered application, by the parser that browsers follow (WHATWG URL).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_canonical::{Host, safe_next};
use url::Url;

const HOME: &str = "https://postern.example";
const APP: &str = "app.example";

/// What may stand in front of a host.
const SCHEMES: &[&str] = &[
    "",
    "/",
    "//",
    "///",
    "/\\",
    "\\/",
    "\\\\",
    "/\t/",
    "/%09/",
    "/%5c",
    "/%2f",
    "/%2f%2f",
    "https:",
    "https:/",
    "https://",
    "https:///",
    "https:\\\\",
    "HtTpS://",
    "http://",
    "http:",
    "//\t",
    "/./",
    "/../",
    "/.//",
    "/;//",
    "javascript:",
    "javascript://",
    "data:text/html,",
    "ftp://",
    "ws://",
    "blob:https://",
    "\u{0}//",
    " //",
    "%2f%2f",
    "/%0d%0a//",
    "/\u{2044}",
    "/\u{ff0f}",
    "\u{3000}//",
    "/x//../..//",
    "https://app.example@",
    "https://app.example:443@",
    "https://app.example%40",
    "//app.example@",
    "https://app.example\\@",
    "https://app.example#@",
    "https://app.example?@",
    "https://app.example.",
    "https://app.example%00",
];

/// Where an attacker wants the browser to go.
const HOSTS: &[&str] = &[
    "evil.example",
    "evil.example:443",
    "EVIL.example",
    "evil%2eexample",
    "evil.example%2f",
    "app.example.evil.example",
    "xn--vil-8va.example",
    "2130706433",
    "[::1]",
    "app.example",
    "app.example/..//evil.example",
];

fn corpus() -> Vec<String> {
    let mut all = Vec::new();
    for scheme in SCHEMES {
        for host in HOSTS {
            all.extend(["", "/", "/path?next=//evil.example"].map(|end| format!("{scheme}{host}{end}")));
        }
    }
    all
}

#[test]
fn o05_no_target_of_the_corpus_leads_elsewhere() {
    let is_app = |host: &Host| host.name() == APP;
    let (home, corpus) = (Url::parse(HOME).unwrap(), corpus());
    assert!(corpus.len() >= 500, "{}", corpus.len());
    let mut accepted = 0;
    for text in &corpus {
        let Ok(next) = safe_next(text, is_app) else { continue };
        accepted += 1;
        let url = home.join(&next.location()).unwrap();
        assert_eq!(url.scheme(), "https", "{text:?}");
        assert!(matches!(url.host_str(), Some("postern.example" | APP)), "{text:?} leads to {url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{text:?}");
    }
    // A checker that refuses everything would pass as well.
    assert!(accepted >= 20, "only {accepted} of {} accepted", corpus.len());
}
