//! Which gateway this account uses, and whom to trust there.

use super::Home;
use crate::failure::Failure;
use postern_private_file as private_file;
use postern_tunnel_io::tls::Trust;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use url::Url;

const FILE: &str = "profile.json";
/// More addresses than this do not make a gateway easier to reach.
const GATEWAYS_MAX: usize = 16;

/// The gateway and the trust in it, learned at `postern login` or given by the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The gateway's public URL.
    pub gateway: Url,
    /// The addresses of its nodes, as it told them; none if it has but one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<Url>,
    /// SHA-256 of the gateway CA's public key, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// Certificates to trust, in PEM; a copy, so that a moved file breaks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

impl Profile {
    /// The profile of this account; nothing before the first sign-in.
    pub fn load(home: &Home) -> Result<Option<Self>, Failure> {
        if let Some(profile) = Self::from_env()? {
            return Ok(Some(profile));
        }
        let path = home.file(FILE);
        let Some(text) = private_file::read(&path)? else { return Ok(None) };
        let damaged = |e| {
            Failure::usage(format!("{} is damaged: {e}", path.display())).then("postern login --gateway URL")
        };
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// The profile, or what to do to get one.
    pub fn require(home: &Home) -> Result<Self, Failure> {
        let missing = || match std::env::var_os("POSTERN_TOKEN") {
            Some(_) => Failure::usage("POSTERN_TOKEN is set, but not which gateway takes it")
                .then("export POSTERN_GATEWAY=https://…"),
            None => Failure::signed_out("you are not signed in to any gateway")
                .then("postern login --gateway https://…"),
        };
        Self::load(home)?.ok_or_else(missing)
    }

    /// Keeps it.
    pub fn save(&self, home: &Home) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| Failure::usage(e.to_string()))?;
        Ok(private_file::write(&home.file(FILE), &text)?)
    }

    fn from_env() -> Result<Option<Self>, Failure> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(gateway) = read("POSTERN_GATEWAY") else { return Ok(None) };
        let ca_file = read("POSTERN_CA_FILE").map(PathBuf::from);
        let mut profile = Self::new(&gateway, read("POSTERN_CA_SHA256"), ca_file.as_deref())?;
        let nodes = read("POSTERN_GATEWAYS").unwrap_or_default();
        for node in nodes.split([',', ' ']).filter(|node| !node.is_empty()).take(GATEWAYS_MAX) {
            profile.gateways.push(parse_gateway(node)?);
        }
        Ok(Some(profile))
    }

    /// A checked profile.
    pub fn new(gateway: &str, ca_sha256: Option<String>, ca_file: Option<&Path>) -> Result<Self, Failure> {
        let gateway = parse_gateway(gateway)?;
        let ca_sha256 = match ca_sha256.map(|hash| hash.replace(':', "").to_ascii_lowercase()) {
            Some(hash) if parse_sha256(&hash).is_none() => {
                return Err(Failure::usage("the CA fingerprint must have 64 hexadecimal digits"));
            }
            hash => hash,
        };
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
        };
        Ok(Self { gateway, gateways: Vec::new(), ca_sha256, ca_pem: ca_file.map(read).transpose()? })
    }

    /// Keeps the addresses of the nodes that the gateway told; what is no address of a gateway is left out. Nothing is
    /// kept where the environment gives the gateway, or where somebody signed in at another one meanwhile.
    pub fn learn(&self, home: &Home, told: &[String]) -> Result<(), Failure> {
        let nodes = told.iter().take(GATEWAYS_MAX).filter_map(|text| parse_gateway(text).ok());
        let mut learned = Self { gateways: nodes.collect(), ..self.clone() };
        // A gateway that is alone tells its public URL.
        if learned.gateways == [learned.gateway.clone()] {
            learned.gateways.clear();
        }
        let is_news = Self::from_env()?.is_none()
            && Self::load(home)?.is_some_and(|kept| kept.gateway == self.gateway && kept != learned);
        if is_news { learned.save(home) } else { Ok(()) }
    }

    /// Whom to trust: exactly the named CA, else what the system trusts.
    pub fn trust(&self) -> Trust {
        let ca_sha256 = self.ca_sha256.as_deref().and_then(parse_sha256);
        let system_roots = ca_sha256.is_none() && self.ca_pem.is_none();
        Trust { system_roots, ca_files: Vec::new(), ca_pem: self.ca_pem.clone(), ca_sha256 }
    }

    /// What the gateway calls itself in tokens and answers.
    pub fn issuer(&self) -> &str {
        self.gateway.as_str().trim_end_matches('/')
    }

    /// An address at the gateway.
    pub fn url(&self, path: &str) -> Url {
        at(&self.gateway, path)
    }

    /// The same address at the gateway and, should it not be reached, at its other nodes.
    pub fn urls(&self, path: &str) -> Vec<Url> {
        let others = self.gateways.iter().filter(|node| **node != self.gateway);
        std::iter::once(&self.gateway).chain(others).map(|node| at(node, path)).collect()
    }

    /// Where links lead to: the nodes in their order, and the public URL, which may know of newer ones.
    pub fn link_urls(&self, path: &str) -> Vec<Url> {
        let last = Some(&self.gateway).filter(|gateway| !self.gateways.contains(gateway));
        self.gateways.iter().chain(last).map(|node| at(node, path)).collect()
    }
}

fn at(gateway: &Url, path: &str) -> Url {
    let mut url = gateway.clone();
    url.set_path(path);
    url
}

fn parse_gateway(text: &str) -> Result<Url, Failure> {
    let bad = |why: &str| Failure::usage(format!("{text:?} is no gateway address: {why}"));
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url: Url = with_scheme.parse().map_err(|_| bad("expected https://HOST[:PORT]"))?;
    // Plain HTTP would send tokens in the clear; on this very machine there is nobody to listen in.
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(bad("it has to begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.host_str().is_none() {
        return Err(bad("expected https://HOST[:PORT]"));
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// A SHA-256 in 64 hexadecimal digits.
pub fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_over_tls_unless_it_is_this_machine() {
        for good in
            ["https://gw.example", "gw.example:8443", "https://gw.example/console?x#y", "http://127.0.0.1:1"]
        {
            assert_eq!(Profile::new(good, None, None).unwrap().gateway.path(), "/", "{good}");
        }
        for bad in [
            "http://gw.example",
            "ftp://gw.example",
            "https://me:pw@gw.example",
            "https://",
            "gw example",
            "",
        ] {
            assert_eq!(Profile::new(bad, None, None).unwrap_err().code, 64, "{bad}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [plain.clone(), colons] {
            let profile = Profile::new("https://gw.example", Some(text), None).unwrap();
            assert_eq!(profile.ca_sha256.as_deref(), Some(plain.as_str()));
            assert!(!profile.trust().system_roots, "a pin replaces the system's trust");
        }
        assert!(Profile::new("https://gw.example", Some("abc".into()), None).is_err());
    }

    #[test]
    fn the_nodes_that_a_gateway_tells_are_kept_and_tried_before_its_public_url() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&dir.path().join("state"))).unwrap();
        let profile = Profile::new("https://gw.example", None, None).unwrap();
        profile.save(&home).unwrap();
        let kept = || Profile::load(&home).unwrap().unwrap();
        let told =
            ["https://gw1.example", "http://plain.example", "nonsense here", "https://gw2.example:8443/x"];
        profile.learn(&home, &told.map(str::to_owned)).unwrap();
        let texts = |urls: Vec<Url>| urls.into_iter().map(String::from).collect::<Vec<_>>();
        let (gw, gw1, gw2) = ("https://gw.example/t", "https://gw1.example/t", "https://gw2.example:8443/t");
        assert_eq!(texts(kept().link_urls("/t")), [gw1, gw2, gw]);
        assert_eq!(texts(kept().urls("/t")), [gw, gw1, gw2]);
        kept().learn(&home, &["https://gw.example".to_owned()]).unwrap();
        assert_eq!(kept(), profile);
        assert_eq!(texts(kept().link_urls("/t")), [gw]);
        let elsewhere = Profile::new("https://other.example", None, None).unwrap();
        elsewhere.learn(&home, &told.map(str::to_owned)).unwrap();
        assert_eq!(kept(), profile, "what a gateway tells changes no other's profile");
    }
}
