//! The two peers of resumable streams, scripted: a client that signs its attempts, and a connector that does as it is told.

use super::{Enrolled, PATIENCE, Scene};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use postern_api::tunnel::OpenReply;
use postern_ids::{SessionId, StreamId};
use postern_token::GrantClaims;
use postern_tunnel_io::{
    Event, Incoming, IncomingLane, Lane, LaneReset, Link, Open, OpenError,
    inventory::{Entry, State, parts},
    stream::{Attach, read_attach},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};

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

/// What a scripted connector does with the next lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Takes them, and echoes.
    Accept,
    /// Refuses them so.
    Refuse(u16),
    /// Says nothing.
    Silence,
}

/// A lane that a connector was asked for.
#[derive(Clone)]
pub(crate) struct Arrived {
    /// As it came.
    pub(crate) grant: String,
    /// What it says; a connector would verify it.
    pub(crate) claims: GrantClaims,
    pub(crate) attach: Attach,
}

/// What the connector does with a lane that it took.
enum Order {
    Detach(u16),
    Reset(u16),
}

/// A scripted connector with one link.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) link: Link,
    seen: Arc<Seen>,
}

struct Seen {
    answer: Mutex<Answer>,
    arrived: Mutex<Vec<Arrived>>,
    kills: Mutex<Vec<(SessionId, u16)>>,
    /// How lanes ended, by generation: the code of a reset, 0 for an orderly end.
    ends: Mutex<Vec<(u32, u16)>>,
    orders: Mutex<HashMap<u32, oneshot::Sender<Order>>>,
    silent: Mutex<Vec<IncomingLane>>,
}

impl Holder {
    /// Dials in and says what it holds.
    pub(crate) async fn start(scene: &Scene, connector: &Enrolled, slot: u8, holds: Vec<Entry>) -> Self {
        let holder = Self::start_silently(scene, connector, slot).await;
        holder.tell(holds);
        scene.online(connector.id).await;
        holder
    }

    /// Dials in, and says nothing.
    pub(crate) async fn start_silently(scene: &Scene, connector: &Enrolled, slot: u8) -> Self {
        let (link, incoming) = scene.dial_connector(connector, slot).await.unwrap();
        let seen = Arc::new(Seen {
            answer: Mutex::new(Answer::Accept),
            arrived: Mutex::default(),
            kills: Mutex::default(),
            ends: Mutex::default(),
            orders: Mutex::default(),
            silent: Mutex::default(),
        });
        tokio::spawn(serve(incoming, Arc::clone(&seen)));
        Self { link, seen }
    }

    pub(crate) fn tell(&self, holds: Vec<Entry>) {
        let all = parts(holds).unwrap();
        let last = all.len() - 1;
        for (at, part) in all.into_iter().enumerate() {
            self.link.send_inventory(part, at == last);
        }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.seen.answer.lock().unwrap() = answer;
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.seen.arrived.lock().unwrap().clone()
    }

    pub(crate) fn kills(&self) -> Vec<(SessionId, u16)> {
        self.seen.kills.lock().unwrap().clone()
    }

    /// The code that the lane of this generation was reset with, once it is over.
    pub(crate) fn end_of(&self, generation: u32) -> Option<u16> {
        self.seen.ends.lock().unwrap().iter().find(|(of, _)| *of == generation).map(|(_, code)| *code)
    }

    /// Lets go of the lane of this generation.
    pub(crate) fn detach(&self, generation: u32, code: u16) {
        self.order(generation, Order::Detach(code));
    }

    /// Ends the stream on the lane of this generation.
    pub(crate) fn reset(&self, generation: u32, code: u16) {
        self.order(generation, Order::Reset(code));
    }

    fn order(&self, generation: u32, order: Order) {
        let order_to = self.seen.orders.lock().unwrap().remove(&generation).expect("such a lane");
        assert!(order_to.send(order).is_ok());
    }

    /// The newest lane's stream as an inventory names it.
    pub(crate) fn entry(&self, state: State) -> Entry {
        let arrived = self.arrived().pop().expect("a lane came");
        Entry {
            stream: arrived.attach.stream,
            session: arrived.claims.session,
            generation: arrived.attach.generation,
            state,
            grant: arrived.grant.into(),
        }
    }
}

async fn serve(mut incoming: Incoming, seen: Arc<Seen>) {
    while let Some(event) = incoming.next().await {
        match event {
            Event::Open(lane) => on_lane(lane, &seen),
            Event::Kill { session, code } => seen.kills.lock().unwrap().push((session, code)),
            Event::GoAway { .. } | Event::Inventory { .. } | Event::Keys(_) => {}
        }
    }
}

fn on_lane(lane: IncomingLane, seen: &Arc<Seen>) {
    let grant = String::from_utf8(lane.metadata.to_vec()).unwrap();
    let claims = claims_of(&grant);
    let (attach, _) = read_attach(&lane.early).expect("an attach");
    let generation = attach.generation;
    seen.arrived.lock().unwrap().push(Arrived { grant, claims, attach });
    match *seen.answer.lock().unwrap() {
        Answer::Accept => {
            let (order, ordered) = oneshot::channel();
            seen.orders.lock().unwrap().insert(generation, order);
            tokio::spawn(echo(lane.accept(Bytes::new()), ordered, generation, Arc::clone(seen)));
        }
        Answer::Refuse(code) => lane.refuse(code, b""),
        Answer::Silence => seen.silent.lock().unwrap().push(lane),
    }
}

fn claims_of(grant: &str) -> GrantClaims {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = grant.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn echo(mut lane: Lane, ordered: oneshot::Receiver<Order>, generation: u32, seen: Arc<Seen>) {
    let code = {
        let copied = async {
            loop {
                match lane.read_chunk(65_536).await {
                    Ok(Some(chunk)) => lane.write_chunk(chunk).await?,
                    Ok(None) => return lane.shutdown().await,
                    Err(error) => return Err(error),
                }
            }
        };
        tokio::select! {
            copied = copied => copied.map_or_else(|error| code_of(&error), |()| 0),
            Ok(order) = ordered => {
                match order {
                    Order::Detach(code) => lane.detach(code),
                    Order::Reset(code) => lane.reset(code),
                }
                return;
            }
        }
    };
    seen.ends.lock().unwrap().push((generation, code));
}

/// The code that a lane was reset with; 1006 when its link was lost.
pub(crate) fn code_of(error: &io::Error) -> u16 {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<LaneReset>());
    inside.map_or(1006, |reset| reset.code)
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
