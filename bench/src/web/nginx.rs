//! A stock nginx as the application, and another one in front of it: one TLS hop, nothing decided.

use crate::certificates::Certificates;
use anyhow::{Context, Result};
use postern_tests::{Process, Signal, free_port, tools, until};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

const WITHIN: Duration = Duration::from_secs(20);
/// What wrk and h2load fetch.
const BODY: usize = 1024;

/// A running nginx; dropping it ends it and its workers.
#[derive(Debug)]
pub(super) struct Nginx {
    process: Process,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// Serves a file of 1 KiB.
    pub(super) fn upstream(directory: &Path) -> Result<Self> {
        let files = directory.join("files");
        fs::create_dir_all(&files)?;
        fs::write(files.join("index.html"), "x".repeat(BODY))?;
        let server = |port| format!("listen 127.0.0.1:{port}; root {};", files.display());
        Self::start("nginx-upstream", directory, "", server)
    }

    /// Ends TLS in front of `upstream` and passes requests on over connections that it keeps.
    pub(super) fn front(directory: &Path, certificates: &Certificates, upstream: SocketAddr) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let kept =
            format!("upstream app {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}");
        let server = |port| {
            format!(
                "listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3;\n\
                 ssl_certificate {}; ssl_certificate_key {};\n\
                 location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
                 proxy_set_header Host $host; }}",
                certificates.chain.display(),
                certificates.key.display()
            )
        };
        Self::start("nginx-front", directory, &kept, server)
    }

    fn start(name: &str, directory: &Path, around: &str, server: impl Fn(u16) -> String) -> Result<Self> {
        let port = free_port()?;
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, text(directory, around, &server(port)))?;
        let mut nginx = tools::command("nginx")?;
        nginx.arg("-e").arg(directory.join("error.log")).arg("-c").arg(&configuration);
        let mut process = Process::start(name, nginx, directory)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        until(name, WITHIN, || TcpStream::connect(address).is_ok() || !process.is_running())?;
        anyhow::ensure!(process.is_running(), "{name} ended:\n{}", process.log_tail());
        Ok(Self { process, address })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The workers end with a master that is asked to; one that is killed leaves them behind.
        let stopped = self.process.stop(Signal::Term, WITHIN).context("stop nginx");
        if let Err(error) = stopped {
            eprintln!("{error:#}");
        }
    }
}

/// One worker a processor, nothing written, nothing outside the directory.
fn text(directory: &Path, around: &str, server: &str) -> String {
    let directory = directory.display();
    let user = if tools::am_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {directory}/{kind};\n"))
        .concat();
    format!(
        "{user}daemon off;\nworker_processes auto;\npid {directory}/nginx.pid;\nerror_log {directory}/error.log;\n\
         events {{ worker_connections 8192; }}\nhttp {{\n{temporary}access_log off;\nsendfile on;\n\
         keepalive_requests 100000000;\n{around}\nserver {{ {server} }}\n}}\n"
    )
}
