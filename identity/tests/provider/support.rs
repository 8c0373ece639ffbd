//! A real OpenID provider in a process of its own, and a browser that signs in there.

use postern_identity::oidc::{Callback, ClaimRules, EgressRules, GroupSource, Provider, ProviderConfig};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use url::Url;

pub(crate) const CALLBACK: &str = "https://gw.example/oidc/test/callback";
/// A provider that does not answer its browser or an order by then never does.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The provider; it ends with this value, for it hears the end of its standard input.
pub(crate) struct Idp {
    pub(crate) issuer: String,
    control: String,
    pub(crate) certificate: String,
    child: Child,
    _input: Option<ChildStdin>,
    _directory: TempDir,
}

impl Idp {
    pub(crate) fn start() -> Self {
        // Programs choose the provider of cryptography; here the test does.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let config = json!({
            "host": "localhost",
            "certificate": path("cert.pem"),
            "key": path("key.pem"),
            "clients": [client("postern"), client("other")],
            "people": {
                "alice": {
                    "password": "pw", "groups": ["engineers"], "name": "Alice",
                    "email": "Alice@example.com", "email_verified": true,
                },
                "bob": { "password": "pw", "groups": [] },
            },
        });
        std::fs::write(path("config.json"), config.to_string()).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/idp/provider.mjs");
        let mut child = Command::new("node")
            .arg(program)
            .arg(path("config.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts; its packages come with `npm ci` in tests/idp");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place: Value = serde_json::from_str(&line).expect("the provider says where it listens");
        let text = |name: &str| place[name].as_str().unwrap().to_owned();
        Self {
            issuer: text("issuer"),
            control: text("control"),
            certificate: made.cert.pem(),
            _input: child.stdin.take(),
            child,
            _directory: directory,
        }
    }

    /// A relying party of this provider.
    pub(crate) fn party(&self, client: &str) -> Provider {
        self.party_with(client, &self.issuer)
    }

    /// One that is configured with another spelling of the issuer.
    pub(crate) fn party_with(&self, client: &str, issuer: &str) -> Provider {
        Provider::new(ProviderConfig {
            name: "test".into(),
            issuer: issuer.into(),
            client_id: client.into(),
            client_secret: Some(SecretString::from("a secret of the tests")),
            scopes: vec!["email".into(), "groups".into(), "offline_access".into()],
            redirect_uri: CALLBACK.parse().unwrap(),
            claims: ClaimRules { groups: Some("groups".into()), source: GroupSource::IdToken },
            egress: EgressRules { allow_private_address: true, ca_pem: Some(self.certificate.clone()) },
            strict_pkce: true,
        })
        .unwrap()
    }

    /// An order over the control port.
    pub(crate) async fn order(&self, path: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build().unwrap();
        let answer = client.post(format!("{}{path}", self.control)).body(body.to_string()).send().await;
        let answer = answer.unwrap();
        assert!(answer.status().is_success());
        answer.json().await.unwrap()
    }

    pub(crate) fn browser(&self) -> Browser {
        let certificate = reqwest::Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_merge([certificate])
            .build()
            .unwrap();
        Browser { client, cookies: BTreeMap::new() }
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        drop(self._input.take());
        let _ = self.child.wait();
    }
}

fn client(id: &str) -> Value {
    json!({
        "client_id": id,
        "client_secret": "a secret of the tests",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://gw.example/signed-out"],
        "id_token_signed_response_alg": "ES256",
        "grant_types": ["authorization_code", "refresh_token"],
        "backchannel_logout_uri": "https://gw.example/oidc/test/logout",
        "backchannel_logout_session_required": true,
    })
}

/// A browser that keeps cookies and fills in the provider's form.
pub(crate) struct Browser {
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Goes where the relying party sends it, signs in if asked, and brings back what the provider says.
    pub(crate) async fn sign_in(&mut self, url: &Url, name: &str) -> Callback {
        callback(&self.follow(url, name).await)
    }

    /// The same, up to the address at which it leaves the provider.
    pub(crate) async fn follow(&mut self, url: &Url, name: &str) -> Url {
        let mut next = url.clone();
        loop {
            let (location, page) = self.visit(&next, None).await;
            next = match (location, page) {
                (Some(to), _) => next.join(&to).unwrap(),
                (None, page) => {
                    assert!(page.contains("<form"), "an unexpected page: {page}");
                    let form = [("login", name), ("password", "pw")];
                    let (location, page) = self.visit(&next, Some(&form)).await;
                    next.join(&location.unwrap_or_else(|| panic!("not signed in: {page}"))).unwrap()
                }
            };
            if next.as_str().starts_with(CALLBACK) {
                return next;
            }
        }
    }

    /// Whether the provider asks the person who they are.
    pub(crate) async fn asks(&mut self, url: &Url) -> bool {
        let mut next = url.clone();
        loop {
            match self.visit(&next, None).await {
                (Some(to), _) => next = next.join(&to).unwrap(),
                (None, page) => return page.contains("name=\"password\""),
            }
            if next.as_str().starts_with(CALLBACK) {
                return false;
            }
        }
    }

    /// Signs out at the provider's page, and gives where it leads afterwards.
    pub(crate) async fn sign_out(&mut self, url: &Url) -> Url {
        let (_, page) = self.visit(url, None).await;
        let value = |before: &str| {
            let rest = page.split(before).nth(1).unwrap_or_else(|| panic!("an unexpected page: {page}"));
            rest.split('"').next().unwrap().to_owned()
        };
        let form = [("xsrf", &*value("name=\"xsrf\" value=\"")), ("logout", "yes")];
        let mut next = Url::parse(&value("action=\"")).unwrap();
        let mut form = Some(&form[..]);
        while next.as_str().starts_with(&url.origin().ascii_serialization()) {
            let (location, page) = self.visit(&next, form.take()).await;
            next = next.join(&location.unwrap_or_else(|| panic!("not signed out: {page}"))).unwrap();
        }
        next
    }

    async fn visit(&mut self, url: &Url, form: Option<&[(&str, &str)]>) -> (Option<String>, String) {
        let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form {
            Some(form) => self.client.post(url.clone()).form(form),
            None => self.client.get(url.clone()),
        };
        let answer = request.header("cookie", jar.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (location, answer.text().await.unwrap())
    }
}

fn callback(url: &Url) -> Callback {
    let mut callback = Callback::default();
    for (name, value) in url.query_pairs() {
        let value = Some(value.into_owned());
        match name.as_ref() {
            "state" => callback.state = value,
            "code" => callback.code = value,
            "iss" => callback.iss = value,
            "error" => callback.error = value,
            _ => {}
        }
    }
    callback
}
