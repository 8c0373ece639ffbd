//! The connector of resumable streams, scripted: it does as it is told.

use super::{Enrolled, Scene};
use bytes::Bytes;
use postern_ids::SessionId;
use postern_token::GrantClaims;
use postern_tunnel_io::{
    Event, Incoming, IncomingLane, Lane, LaneReset, Link,
    inventory::{Entry, State, parts},
    stream::{Attach, read_attach},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};
use tokio::{io::AsyncWriteExt, sync::oneshot};

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
