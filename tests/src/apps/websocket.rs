//! A WebSocket client by hand (RFC 6455): a test sees each frame, and when it came.

use crate::{Gateway, raw::Raw, wait};
use anyhow::{Context, Result};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// An open WebSocket, or what was answered instead.
#[derive(Debug)]
pub struct WebSocket {
    raw: Raw,
    /// The head of the answer.
    pub head: String,
    /// Where its frames begin.
    begins: usize,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text or bytes, or a control frame that is neither.
    Data(String),
    /// The end, with its status and reason.
    Close(u16, String),
}

impl WebSocket {
    /// Asks for one at `authority`, with more header lines.
    pub fn open(gateway: &Gateway, authority: &str, path: &str, headers: &[String]) -> Result<Self> {
        let name = authority.split(':').next().unwrap_or_default();
        let mut raw = Raw::open(gateway, "http/1.1", name)?;
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
        raw.send(head + "\r\n");
        let find = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = raw.until("the answer to an upgrade", find)?;
        let head = raw.heard().get(..end).map(|head| String::from_utf8_lossy(head).into_owned());
        Ok(Self { raw, head: head.unwrap_or_default(), begins: end + 4 })
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// Sends a text of at most 125 bytes, masked with zeros.
    pub fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap_or(125).min(125);
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend(text.bytes().take(length.into()));
        self.raw.send(frame);
    }

    /// The messages that came so far.
    pub fn messages(&self) -> Vec<Message> {
        let heard = self.raw.heard();
        let mut rest = heard.get(self.begins..).unwrap_or_default();
        let mut found = Vec::new();
        while let Some((message, behind)) = message(rest) {
            found.push(message);
            rest = behind;
        }
        found
    }

    /// Waits for a message that contains a text.
    pub fn until(&self, text: &str) -> Result<()> {
        let is_it = |message: &Message| matches!(message, Message::Data(data) if data.contains(text));
        wait::until(&format!("a message with {text:?}"), SOON, || self.messages().iter().any(is_it))
            .with_context(|| format!("heard {:?}", self.messages()))?;
        Ok(())
    }

    /// Waits until the server has said why it closes, and gives that and how long it took.
    pub fn until_closed(&self) -> Result<((u16, String), Duration)> {
        let close = || {
            self.messages().into_iter().find_map(|message| match message {
                Message::Close(code, reason) => Some((code, reason)),
                Message::Data(_) => None,
            })
        };
        wait::eventually("the close of a WebSocket", SOON, close)
            .with_context(|| format!("heard {:?}, closed {}", self.messages(), self.raw.is_closed()))
    }

    /// Whether the connection ended.
    pub fn is_closed(&self) -> bool {
        self.raw.is_closed()
    }
}

/// The first frame of unmasked bytes, once it is whole, and what follows it.
fn message(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let (first, second) = (bytes.first()?, *bytes.get(1)?);
    let (length, begins) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let payload = bytes.get(begins..begins + length)?;
    let message = match (first & 0x0f, payload) {
        (8, [high, low, reason @ ..]) => {
            let reason = String::from_utf8_lossy(reason).into_owned();
            Message::Close(u16::from_be_bytes([*high, *low]), reason)
        }
        _ => Message::Data(String::from_utf8_lossy(payload).into_owned()),
    };
    Some((message, bytes.get(begins + length..).unwrap_or_default()))
}
