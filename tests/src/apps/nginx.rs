//! A stock nginx with a directory of files, as most applications are fronted by one.

use super::Certificate;
use crate::{process::Process, tools, wait};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running nginx; dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    files: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Nginx {
    /// Starts one that serves `files` below the directory, plain and over TLS.
    pub fn start(directory: &Path, certificate: &Certificate) -> Result<Self> {
        let files = directory.join("files");
        std::fs::create_dir_all(&files)?;
        let (port, tls_port) = (wait::free_port()?, wait::free_port()?);
        let configuration = directory.join("nginx.conf");
        std::fs::write(&configuration, text(directory, (port, tls_port), certificate))?;
        let mut nginx = tools::command("nginx")?;
        nginx.arg("-e").arg(directory.join("error.log")).arg("-c").arg(&configuration);
        let mut process = Process::start("nginx", nginx, directory)?;
        let is_there =
            || TcpStream::connect((Ipv4Addr::LOCALHOST, tls_port)).is_ok() || !process.is_running();
        wait::until("nginx", READY_WITHIN, is_there)?;
        anyhow::ensure!(process.is_running(), "nginx ended:\n{}", process.log_tail());
        Ok(Self { process, files, port, tls_port })
    }

    /// Where it speaks plain HTTP.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it speaks HTTP over TLS.
    pub fn tls_target(&self) -> String {
        format!("127.0.0.1:{}", self.tls_port)
    }

    /// Writes a file that it serves.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        let file = self.files.join(name);
        std::fs::write(&file, contents).with_context(|| format!("write {}", file.display()))
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// One process, nothing outside the directory: it runs for anybody.
fn text(directory: &Path, (port, tls_port): (u16, u16), certificate: &Certificate) -> String {
    let directory = directory.display();
    let user = if tools::am_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {directory}/{kind};\n"))
        .concat();
    format!(
        "{user}daemon off;\nmaster_process off;\npid {directory}/nginx.pid;\nerror_log {directory}/error.log;\nevents {{}}\n\
         http {{\n{temporary}  access_log {directory}/access.log;\n  default_type text/plain;\n  server {{\n\
         \x20   listen 127.0.0.1:{port};\n    listen 127.0.0.1:{tls_port} ssl http2;\n\
         \x20   ssl_certificate {};\n    ssl_certificate_key {};\n    root {directory}/files;\n\
         \x20   location /who {{ return 200 \"$http_x_postern_user at $host over $scheme as $ssl_server_name\\n\"; }}\n  }}\n}}\n",
        certificate.certificate.display(),
        certificate.key.display(),
    )
}
