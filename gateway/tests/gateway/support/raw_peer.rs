//! A peer that proves who it is, and then says whatever it is told to: what no proper end of a tunnel would.

use super::{Enrolled, PATIENCE, Prover, Scene};
use postern_tunnel_io::{Challenge, Proxy, Stream, connect, tls::Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const OPEN: u8 = 0x02;
pub(crate) const OPENED: u8 = 0x03;
pub(crate) const REFUSED: u8 = 0x04;
pub(crate) const DATA: u8 = 0x05;
pub(crate) const CREDIT: u8 = 0x06;
pub(crate) const FIN: u8 = 0x07;
pub(crate) const INVENTORY: u8 = 0x0c;

/// A frame as it goes over the wire.
pub(crate) fn frame(kind: u8, lane: u32, payload: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, high, middle, low][..], &lane.to_be_bytes(), payload].concat()
}

/// An Open of flow 0.
pub(crate) fn open(lane: u32, metadata: &str) -> Vec<u8> {
    let length = u16::try_from(metadata.len()).unwrap().to_be_bytes();
    frame(OPEN, lane, &[&[0; 8][..], &length, metadata.as_bytes()].concat())
}

/// What a client says to reach a resource.
pub(crate) fn request(resource: &str) -> String {
    format!(r#"{{"v":1,"resource":"{resource}","action":"connect"}}"#)
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Frame { kind: u8, lane: u32, payload: Vec<u8> },
    Close(u16),
    Gone,
}

/// Where a gateway is, and how it is known.
pub(crate) struct Gate {
    pub(crate) url: url::Url,
    pub(crate) ca_sha256: [u8; 32],
}

impl Gate {
    fn of(scene: &Scene) -> Self {
        Self { url: scene.node.public_url.clone(), ca_sha256: scene.node.ca_sha256().unwrap() }
    }
}

/// A link of which nothing is checked at this end.
pub(crate) struct RawPeer {
    stream: Box<dyn Stream>,
    heard: Vec<u8>,
}

impl RawPeer {
    /// A client's link, with its Hello said.
    pub(crate) async fn client(scene: &Scene, token: &str) -> Self {
        let mut peer = Self::connect(&Gate::of(scene)).await;
        let head = peer.upgrade("/tunnel/client", &format!("Authorization: Bearer {token}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer.say(&hello()).await;
        peer
    }

    /// A connector's link, dialed with more headers than a connector sends, with its Hello and an empty list said.
    pub(crate) async fn connector(scene: &Scene, connector: &Enrolled, headers: &str) -> Self {
        Self::connector_at(&Gate::of(scene), connector, 0, headers).await
    }

    /// The same at any gateway, as the link of a slot.
    pub(crate) async fn connector_at(gate: &Gate, connector: &Enrolled, slot: u8, headers: &str) -> Self {
        let mut peer = Self::connect(gate).await;
        let challenge = peer.upgrade("/tunnel/connector", headers).await;
        assert!(challenge.starts_with("HTTP/1.1 401 "), "{challenge}");
        let value = |name: &str| {
            let line = challenge.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let challenge = Challenge {
            nonce: value("postern-nonce:"),
            gateway_time: Some(value("postern-time:").parse().unwrap()),
        };
        let issuer = gate.url.as_str().trim_end_matches('/').to_owned();
        let proof = Prover { issuer, connector: connector.clone(), slot }.token(&challenge);
        let headers = format!("{headers}Authorization: Postern-Dial {proof}\r\n");
        let head = peer.upgrade("/tunnel/connector", &headers).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer.say(&[hello(), [&[INVENTORY, 0x10, 0, 0][..], &[0; 4]].concat()].concat()).await;
        peer
    }

    async fn connect(gate: &Gate) -> Self {
        let trust = Trust::pinned(gate.ca_sha256);
        let stream = connect(&gate.url, &trust, &Proxy::direct()).await.unwrap();
        Self { stream, heard: Vec::new() }
    }

    /// Asks, and gives the head of the answer; its body is read and forgotten.
    async fn upgrade(&mut self, path: &str, headers: &str) -> String {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: postern.tunnel.v1\r\n{headers}\r\n"
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let end = loop {
            if let Some(at) = self.heard.windows(4).position(|part| part == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.hear_more().await, "the connection ended in the head");
        };
        let head = String::from_utf8(self.heard.drain(..end).collect()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.heard.len() < length {
            assert!(self.hear_more().await, "the connection ended in the body");
        }
        self.heard.drain(..length);
        head
    }

    /// Says frames, in one message. False if the connection is gone.
    pub(crate) async fn try_say(&mut self, frames: &[u8]) -> bool {
        let mut message = vec![0x82, 0x80 | 127];
        message.extend(u64::try_from(frames.len()).unwrap().to_be_bytes());
        message.extend([0; 4]);
        message.extend_from_slice(frames);
        let written = tokio::time::timeout(PATIENCE, self.stream.write_all(&message)).await;
        written.expect("it is read").is_ok()
    }

    /// Says frames, in one message.
    pub(crate) async fn say(&mut self, frames: &[u8]) {
        assert!(self.try_say(frames).await, "the connection is gone");
    }

    async fn hear_more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.heard)).await;
        read.expect("something is said").is_ok_and(|read| read > 0)
    }

    /// The next frame of a kind, or how the link ended.
    pub(crate) async fn until(&mut self, kind: u8) -> Heard {
        loop {
            match self.hear().await {
                Heard::Frame { kind: other, .. } if other != kind => {}
                heard @ (Heard::Frame { .. } | Heard::Close(_) | Heard::Gone) => return heard,
            }
        }
    }

    /// The code that the link is closed with.
    pub(crate) async fn closed(&mut self) -> u16 {
        match self.until(0).await {
            Heard::Close(code) => code,
            other @ (Heard::Frame { .. } | Heard::Gone) => panic!("no close: {other:?}"),
        }
    }

    /// One frame. The gateway's messages are taken apart as they come; what is left of one stays in front.
    async fn hear(&mut self) -> Heard {
        loop {
            match message(&self.heard) {
                Some((8, payload, _)) => {
                    return Heard::Close(u16::from_be_bytes(
                        self.heard[payload..payload + 2].try_into().unwrap(),
                    ));
                }
                Some((_, payload, end)) if payload == end => _ = self.heard.drain(..end),
                Some((_, payload, end)) => return self.take_frame(payload, end),
                None if self.hear_more().await => {}
                None => return Heard::Gone,
            }
        }
    }

    fn take_frame(&mut self, at: usize, end: usize) -> Heard {
        let header: [u8; 8] = self.heard[at..at + 8].try_into().unwrap();
        let [kind, high, middle, low, lane @ ..] = header;
        let length = u32::from_be_bytes([0, high & 15, middle, low]) as usize;
        let payload = self.heard[at + 8..at + 8 + length].to_vec();
        let rest = self.heard[at + 8 + length..end].to_vec();
        let behind = self.heard.split_off(end);
        // What is left of the message is put back as one of its own.
        self.heard =
            [0x82, 127].into_iter().chain(u64::try_from(rest.len()).unwrap().to_be_bytes()).collect();
        self.heard.extend(rest);
        self.heard.extend(behind);
        Heard::Frame { kind, lane: u32::from_be_bytes(lane), payload }
    }
}

/// Opcode, start and end of the first whole message.
fn message(heard: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &length) = (heard.first()?, heard.get(1)?);
    let (payload, length) = match length {
        126 => (4, usize::from(u16::from_be_bytes(heard.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(heard.get(2..10)?.try_into().unwrap())).unwrap()),
        length => (2, usize::from(length)),
    };
    heard.get(..payload + length)?;
    Some((first & 15, payload, payload + length))
}

fn hello() -> Vec<u8> {
    let mut payload = b"PSTN".to_vec();
    payload.extend([0, 1, 0, 1]);
    payload.extend(1_000_u32.to_be_bytes());
    payload.extend((256 * 1024_u32).to_be_bytes());
    frame(0x01, 0, &payload)
}
