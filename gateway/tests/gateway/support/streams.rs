//! The client of a resumable stream, scripted: it signs its attempts as it is told.

pub(crate) use super::holder::{Answer, Holder};

use super::{PATIENCE, holder::code_of};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use postern_api::tunnel::OpenReply;
use postern_ids::{SessionId, StreamId};
use postern_tunnel_io::{Lane, Link, Open, OpenError, stream::Attach};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A client of one stream.
pub(crate) struct StreamClient {
    pub(crate) stream: StreamId,
    pub(crate) key: Ed25519KeyPair,
    pub(crate) generation: u32,
    pub(crate) instance: [u8; 16],
    pub(crate) ticket: Option<String>,
}

/// A lane that a client got.
pub(crate) struct Carried {
    pub(crate) lane: Lane,
    pub(crate) session: SessionId,
}

impl StreamClient {
    pub(crate) fn new() -> Self {
        Self {
            stream: StreamId::from_bytes(rand::random()),
            key: Ed25519KeyPair::generate().unwrap(),
            generation: 0,
            instance: [0; 16],
            ticket: None,
        }
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.key.public_key().as_ref().try_into().unwrap()
    }

    /// The Attach record of the next attempt.
    pub(crate) fn attach(&mut self, resume_only: bool) -> Bytes {
        self.generation += 1;
        self.attach_as(self.generation, resume_only)
    }

    pub(crate) fn attach_as(&self, generation: u32, resume_only: bool) -> Bytes {
        let mut attach = Attach {
            version_min: 1,
            version_max: 1,
            resume_only,
            stream: self.stream,
            key: self.public(),
            generation,
            received: 0,
            instance: self.instance,
            proof: [0; 64],
        };
        attach.proof = self.key.sign(&attach.proof_message()).as_ref().try_into().unwrap();
        record(&attach)
    }

    /// Asks for a new session, or for the one whose answer was lost.
    pub(crate) async fn open(&mut self, link: &Link, resource: &str) -> Result<Carried, u16> {
        let early = self.attach(false);
        self.open_with(link, resource, early).await
    }

    pub(crate) async fn open_with(
        &mut self,
        link: &Link,
        resource: &str,
        early: Bytes,
    ) -> Result<Carried, u16> {
        let request = format!(r#"{{"v":1,"resource":"{resource}","action":"connect","resumable":true}}"#);
        self.ask(link, request, early).await
    }

    /// Asks for the session of its ticket.
    pub(crate) async fn resume(&mut self, link: &Link) -> Result<Carried, u16> {
        let early = self.attach(true);
        self.resume_with(link, early).await
    }

    pub(crate) async fn resume_with(&mut self, link: &Link, early: Bytes) -> Result<Carried, u16> {
        let ticket = self.ticket.clone().unwrap();
        self.ask(link, format!(r#"{{"v":1,"ticket":"{ticket}"}}"#), early).await
    }

    async fn ask(&mut self, link: &Link, request: String, early: Bytes) -> Result<Carried, u16> {
        let open = link.open(Open { flow: 0, metadata: request.into(), early });
        match tokio::time::timeout(PATIENCE, open).await.expect("an answer") {
            Ok(opened) => {
                let reply: OpenReply = serde_json::from_slice(&opened.metadata).unwrap();
                self.ticket = Some(reply.ticket.expect("a resumable session has a ticket"));
                Ok(Carried { lane: opened.lane, session: reply.session })
            }
            Err(OpenError::Refused { code, .. }) => Err(code),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// An Attach as it goes over the lane: type, length, payload.
pub(crate) fn record(attach: &Attach) -> Bytes {
    let message = attach.proof_message();
    // The context is not sent.
    let signed = &message[24..];
    let length = u32::try_from(signed.len() + attach.proof.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1];
    bytes.extend(&length[1..]);
    bytes.extend(signed);
    bytes.extend(attach.proof);
    bytes.into()
}

/// The code that a client's lane is reset with.
pub(crate) async fn reset_code(lane: &mut Lane) -> u16 {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, lane.read_to_end(&mut rest)).await.expect("the lane's end");
    code_of(&read.expect_err("a reset"))
}

/// Sends bytes and gets them back.
pub(crate) async fn echoed(lane: &mut Lane, bytes: &[u8]) {
    lane.write_all(bytes).await.unwrap();
    let mut back = vec![0; bytes.len()];
    tokio::time::timeout(PATIENCE, lane.read_exact(&mut back)).await.expect("an echo").unwrap();
    assert_eq!(back, bytes);
}
