//! Bytes of our own making over TLS, for what no well-behaved client would send.

use crate::curl::Answer;
use crate::process::{Signal, bound_to_us, send_signal};
use crate::{Gateway, tools, wait};
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An answer on a busy machine is there within this, and a connection that is to end has ended.
const SOON: Duration = Duration::from_secs(20);

/// A TLS connection that sends exactly what it is given.
#[derive(Debug)]
pub struct Raw {
    child: Child,
    input: ChildStdin,
    heard: Arc<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    bytes: Mutex<Vec<u8>>,
    is_closed: AtomicBool,
}

impl Raw {
    /// Connects, offering one protocol; `sni` is the name in the handshake, none if it is empty.
    pub fn open(gateway: &Gateway, protocol: &str, sni: &str) -> Result<Self> {
        Self::open_with(gateway, protocol, sni, &[])
    }

    /// The same with more options of `openssl s_client`.
    pub fn open_with(gateway: &Gateway, protocol: &str, sni: &str, options: &[&str]) -> Result<Self> {
        let mut openssl = tools::command("openssl")?;
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-connect", gateway.public_address()]);
        openssl.arg("-CAfile").arg(gateway.authority()).args(["-alpn", protocol]).args(options);
        match sni {
            "" => openssl.arg("-noservername"),
            name => openssl.args(["-servername", name]),
        };
        let mut openssl = bound_to_us(openssl);
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = openssl.spawn().context("start openssl")?;
        let input = child.stdin.take().context("openssl has no input")?;
        let mut output = child.stdout.take().context("openssl has no output")?;
        let heard = Arc::new(Heard::default());
        let hears = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count) = output.read(&mut buffer) {
                let Some(fresh) = buffer.get(..count).filter(|fresh| !fresh.is_empty()) else { break };
                hears.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(fresh);
            }
            hears.is_closed.store(true, Ordering::SeqCst);
        });
        Ok(Self { child, input, heard })
    }

    /// Sends bytes. A gateway that closed the connection already is no mistake: what it said tells why.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.input.write_all(bytes.as_ref()).and_then(|()| self.input.flush());
    }

    /// Takes nothing from now on.
    pub fn freeze(&self) -> Result<()> {
        send_signal(self.child.id(), Signal::Stop)
    }

    /// What came so far.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the gateway ended the connection.
    pub fn is_closed(&self) -> bool {
        self.heard.is_closed.load(Ordering::SeqCst)
    }

    /// Waits until what came holds something.
    pub fn until<T>(&self, what: &str, mut find: impl FnMut(&[u8]) -> Option<T>) -> Result<T> {
        Ok(wait::eventually(what, SOON, || find(&self.heard()))
            .with_context(|| format!("heard {:?}", String::from_utf8_lossy(&self.heard())))?
            .0)
    }

    /// Everything that comes until the gateway ends the connection.
    pub fn until_closed(&self) -> Result<Vec<u8>> {
        wait::until("the end of the connection", SOON, || self.is_closed())
            .with_context(|| format!("heard {:?}", String::from_utf8_lossy(&self.heard())))?;
        Ok(self.heard())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Sends bytes as HTTP/1.1 and gives every answer until the gateway closes the connection, which it has to.
pub fn exchange(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> Result<Vec<Answer>> {
    let mut raw = Raw::open(gateway, "http/1.1", "")?;
    raw.send(bytes);
    answers(&raw.until_closed()?)
}

/// The answers that follow each other in what was heard; interim ones are left out.
pub fn answers(bytes: &[u8]) -> Result<Vec<Answer>> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (mut rest, mut found) = (text.as_str(), Vec::new());
    while !rest.is_empty() {
        let (head, behind) = rest.split_once("\r\n\r\n").with_context(|| format!("half a head: {rest:?}"))?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status: status.parse()?, headers, body: String::new() };
        let length = answer.header("content-length").map_or(Ok(0), str::parse)?;
        answer.body = behind.get(..length).with_context(|| format!("half a body: {behind:?}"))?.to_owned();
        rest = behind.get(length..).unwrap_or_default();
        if answer.status >= 200 {
            found.push(answer);
        }
    }
    Ok(found)
}
