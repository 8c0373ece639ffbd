//! A certificate that signs itself, for servers that a test starts.

use crate::tools;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, which is its own authority.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one for a name such as `DNS:app.internal`, good for two days.
    pub fn make(directory: &Path, name: &str) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let made = Self { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        let request = directory.join("certificate.conf");
        std::fs::write(
            &request,
            format!(
                "[req]\ndistinguished_name = name\nprompt = no\nx509_extensions = server\n[name]\nCN = a test\n\
                 [server]\nbasicConstraints = critical, CA:FALSE\nsubjectAltName = {name}\n"
            ),
        )?;
        let mut openssl = tools::command("openssl")?;
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-days", "2", "-config"]).arg(&request);
        openssl.arg("-keyout").arg(&made.key).arg("-out").arg(&made.certificate);
        let ran = openssl.stdin(Stdio::null()).output()?;
        anyhow::ensure!(ran.status.success(), "openssl: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(made)
    }

    /// The certificate's text.
    pub fn pem(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.certificate)?)
    }
}
