//! A client's end of a resumable stream, by hand from docs/protocol.md: it can do what a good client never does.

use crate::gateway::{Gateway, PATIENCE};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use postern_ids::{SignInId, StreamId};
use postern_token::{ActionClaim, CredentialClaims, GrantClaims, SessionClaims, SignInClaims, mint_grant};
use postern_tunnel_io::{Lane, LaneReset, Link, Open, OpenError, Opened};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// One stream, and the key that proves whose it is.
pub(crate) struct Client {
    pub(crate) stream: StreamId,
    key: Ed25519KeyPair,
}

/// The fields of an Attach that differ from attempt to attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) generation: u32,
    pub(crate) resume_only: bool,
    pub(crate) received: u64,
    pub(crate) instance: [u8; 16],
}

impl Attempt {
    pub(crate) fn first() -> Self {
        Self { generation: 1, resume_only: false, received: 0, instance: [0; 16] }
    }
}

/// What comes from the connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Welcome { generation: u32, received: u64, instance: [u8; 16] },
    Data { offset: u64, bytes: Vec<u8> },
    Ack(u64),
    Fin(u64),
    End(u16),
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::of(StreamId::from_bytes(rand::random()))
    }

    /// One that names this stream, with a key of its own.
    pub(crate) fn of(stream: StreamId) -> Self {
        Self { stream, key: Ed25519KeyPair::generate().unwrap() }
    }

    pub(crate) fn key(&self) -> [u8; 32] {
        self.key.public_key().as_ref().try_into().unwrap()
    }

    /// A grant for this stream in a session of its own.
    pub(crate) fn claims(&self, gateway: &Gateway, target: SocketAddr) -> GrantClaims {
        let now = gateway.now;
        let sign_in = SignInClaims {
            id: SignInId::mint(now, rand::random()),
            at: now,
            mfa_at: None,
            acr: None,
            amr: Vec::new(),
            expires_at: now.plus(Duration::from_secs(3_600)),
            idp: "local".to_owned(),
        };
        let ses = SessionClaims {
            credential: CredentialClaims::SignIn(sign_in),
            action: ActionClaim::Connect,
            source: [192, 0, 2, 1].into(),
            started_at: now,
            expires_at: None,
            generation: 1,
        };
        let stream = Some(self.stream);
        GrantClaims { cnf: Some(self.key()), stream, ses: Some(ses), ..gateway.claims(target) }
    }

    /// The Attach record of an attempt.
    pub(crate) fn attach(&self, attempt: Attempt) -> Vec<u8> {
        self.attach_in(1, attempt)
    }

    /// The same, in a version of the stream protocol.
    pub(crate) fn attach_in(&self, version: u16, attempt: Attempt) -> Vec<u8> {
        let Attempt { generation, resume_only, received, instance } = attempt;
        let mut fields = [version.to_be_bytes(), version.to_be_bytes()].concat();
        fields.push(u8::from(resume_only));
        fields.extend(self.stream.to_bytes());
        fields.extend(self.key());
        fields.extend(generation.to_be_bytes());
        fields.extend(received.to_be_bytes());
        fields.extend(instance);
        let proof = self.key.sign(&[b"postern stream attach v1", fields.as_slice()].concat());
        fields.extend(proof.as_ref());
        record(0x01, &fields)
    }

    /// Opens a lane with a grant and an attempt.
    pub(crate) async fn open(
        &self,
        gateway: &Gateway,
        link: &Link,
        claims: &GrantClaims,
        attempt: Attempt,
    ) -> Result<Lane, u16> {
        open_with(gateway, link, claims, self.attach(attempt)).await
    }
}

/// Opens a lane with any early data; the code if it is refused.
pub(crate) async fn open_with(
    gateway: &Gateway,
    link: &Link,
    claims: &GrantClaims,
    early: Vec<u8>,
) -> Result<Lane, u16> {
    let metadata = mint_grant(claims, &gateway.grant_key).unwrap().into();
    let open = link.open(Open { metadata, early: early.into(), ..Open::default() });
    match timeout(PATIENCE, open).await.expect("the connector answered") {
        Ok(Opened { lane, .. }) => Ok(lane),
        Err(OpenError::Refused { code, .. }) => Err(code),
        Err(error) => panic!("{error}"),
    }
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c], payload].concat()
}

/// Sends bytes of the stream.
pub(crate) async fn send(lane: &mut Lane, offset: u64, bytes: &[u8]) {
    let payload = [&offset.to_be_bytes(), bytes].concat();
    lane.write_all(&record(0x04, &payload)).await.unwrap();
}

/// Says that this direction is complete.
pub(crate) async fn finish(lane: &mut Lane, length: u64) {
    lane.write_all(&record(0x06, &length.to_be_bytes())).await.unwrap();
}

/// Says that everything up to here was accepted.
pub(crate) async fn acknowledge(lane: &mut Lane, received: u64) {
    let limit = received + 65_536;
    lane.write_all(&record(0x05, &[received.to_be_bytes(), limit.to_be_bytes()].concat())).await.unwrap();
}

/// The next record; nothing when the lane was finished.
pub(crate) async fn receive(lane: &mut Lane) -> Option<Record> {
    timeout(PATIENCE, read(lane)).await.expect("a record came")
}

async fn read(lane: &mut Lane) -> Option<Record> {
    let kind = lane.read_u8().await.ok()?;
    let mut length = [0; 4];
    lane.read_exact(&mut length[1..]).await.unwrap();
    let mut payload = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    lane.read_exact(&mut payload).await.unwrap();
    let number = |at: usize| u64::from_be_bytes(payload[at..at + 8].try_into().unwrap());
    Some(match kind {
        0x02 => Record::Welcome {
            generation: u32::from_be_bytes(payload[2..6].try_into().unwrap()),
            received: number(6),
            instance: payload[14..30].try_into().unwrap(),
        },
        0x04 => Record::Data { offset: number(0), bytes: payload[8..].to_vec() },
        0x05 => Record::Ack(number(0)),
        0x06 => Record::Fin(number(0)),
        0x07 => Record::End(u16::from_be_bytes(payload[..2].try_into().unwrap())),
        other => panic!("an unexpected record: {other:#x}"),
    })
}

/// The Welcome that a lane begins with.
pub(crate) async fn welcome(lane: &mut Lane) -> (u32, u64, [u8; 16]) {
    match receive(lane).await {
        Some(Record::Welcome { generation, received, instance }) => (generation, received, instance),
        other => panic!("no welcome: {other:?}"),
    }
}

/// The next bytes of the stream, whatever is acknowledged before them.
pub(crate) async fn data(lane: &mut Lane) -> (u64, Vec<u8>) {
    loop {
        match receive(lane).await {
            Some(Record::Data { offset, bytes }) => return (offset, bytes),
            Some(Record::Ack(_)) => {}
            other => panic!("no data: {other:?}"),
        }
    }
}

/// How the lane ends: the code of a reset, and whether it was *detach*.
pub(crate) async fn reset(lane: &mut Lane) -> LaneReset {
    let read = async {
        loop {
            match lane.read(&mut [0; 4096]).await {
                Ok(0) => panic!("the lane was finished, not reset"),
                Ok(_) => {}
                Err(error) => return *error.get_ref().unwrap().downcast_ref::<LaneReset>().unwrap(),
            }
        }
    };
    timeout(PATIENCE, read).await.expect("the lane was reset")
}
