//! A certified OpenID provider as a process (`tests/idp`), and the test's hand on it.

use crate::{Process, tools, wait};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running provider; it ends when this is dropped.
#[derive(Debug)]
pub struct Idp {
    process: Process,
    issuer: String,
    control: String,
    certificate: PathBuf,
}

/// What this gateway is called at the provider, and its secret there.
pub const CLIENT: (&str, &str) = ("postern", "a secret of the tests");

/// A server's certificate that signs itself; openssl makes an authority unless it is told otherwise.
const CERTIFICATE: &str = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = server\n\
     [name]\nCN = localhost\n[server]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = DNS:localhost\n";

impl Idp {
    /// Starts one that knows these people and sends them back to a gateway's provider `name`. `authority` is the gateway's
    /// own certificate authority, for its back-channel.
    pub fn start(
        directory: &Path,
        gateway: &str,
        name: &str,
        authority: &Path,
        people: &Value,
    ) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let request = directory.join("certificate.conf");
        std::fs::write(&request, CERTIFICATE)?;
        let made = tools::command("openssl")?
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .arg("-config")
            .arg(request)
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stdin(Stdio::null())
            .output()?;
        anyhow::ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let configuration = json!({
            "host": "localhost",
            "certificate": certificate,
            "key": key,
            "authority": authority,
            "clients": [{
                "client_id": CLIENT.0,
                "client_secret": CLIENT.1,
                "redirect_uris": [format!("{gateway}/oidc/{name}/callback")],
                "post_logout_redirect_uris": [format!("{gateway}/signed-out")],
                "id_token_signed_response_alg": "ES256",
                "grant_types": ["authorization_code", "refresh_token"],
                "backchannel_logout_uri": format!("{gateway}/oidc/{name}/backchannel-logout"),
                "backchannel_logout_session_required": true,
            }],
            "people": people,
        });
        let file = directory.join("provider.json");
        std::fs::write(&file, configuration.to_string())?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp/provider.mjs");
        let mut node = tools::command("node")?;
        node.arg(program).arg(file);
        let process = Process::start_with_open_input("idp", node, directory)?;
        let place = || process.log().lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let (place, _) = wait::eventually("the provider", READY_WITHIN, place)?;
        let text =
            |name: &str| place[name].as_str().map(str::to_owned).context("the provider names no place");
        let (issuer, control) = (text("issuer")?, text("control")?);
        Ok(Self { process, issuer, control, certificate })
    }

    /// Its issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where it takes orders.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// Its certificate, which signs itself.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Changes it: `/people`, `/keys`, `/logout` or `/faults`, with what `provider.mjs` says about each.
    pub fn order(&self, path: &str, body: &Value) -> Result<Value> {
        let output = tools::command("curl")?
            .args(["--disable", "--silent", "--show-error", "--fail", "--max-time", "20", "--noproxy", "*"])
            .args(["--data-binary", &body.to_string(), &format!("{}{path}", self.control)])
            .stdin(Stdio::null())
            .output()?;
        let (said, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(output.status.success(), "{path}: {said}{error}\n{}", self.log());
        serde_json::from_str(&said).with_context(|| format!("{path} answered {said:?}"))
    }

    /// The document that makes it known to a gateway; the secret lies in `idp.secret` beside it.
    pub fn document(&self, name: &str) -> Result<String> {
        let certificate = std::fs::read_to_string(&self.certificate)?.replace('\n', "\n  ");
        Ok(format!(
            "kind: provider\nname: {name}\ndisplay_name: Example Inc.\nissuer: {}\nclient_id: {}\n\
             client_secret: {{fromFile: idp.secret}}\nscopes: [email, groups, offline_access]\n\
             groups_claim: groups\ngroups: {{eng: engineers}}\nallow_private_address: true\nstrict_pkce: true\n\
             ca_pem: |\n  {certificate}\n",
            self.issuer, CLIENT.0
        ))
    }
}
