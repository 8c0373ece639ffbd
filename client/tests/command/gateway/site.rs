//! The private side: a connector that holds streams, and the resource behind it.

use super::{
    Count, Resource,
    http::{read_head, upgrade},
};
use ::http::HeaderValue;
use postern_ids::{Ended, StreamId};
use postern_tunnel_io::{
    Challenge, Credentials, Cut, Dial, Event, Incoming, Lane, Link, LinkConfig, Proxy, dial,
    stream::{Arrival, Held, Pipes, Rejected, StreamConfig, Terms, hold},
    tls::Trust,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    net::TcpListener,
};

type Near = Pipes<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

pub(super) struct Site {
    /// Opens lanes at the connector, for every gateway.
    pub(super) backbone: Link,
    /// The newest ticket of each stream.
    tickets: Mutex<HashMap<StreamId, String>>,
    minted: AtomicUsize,
    sessions: AtomicUsize,
    /// Streams that are over at the connector.
    pub(super) ends: Count,
    _unasked: Incoming,
}

struct Nobody;

impl Credentials for Nobody {
    fn authorization(&mut self, _: Option<&Challenge>) -> Option<HeaderValue> {
        None
    }
}

impl Site {
    pub(super) async fn open(resource: Resource) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tunnel/connector", listener.local_addr().unwrap()).parse().unwrap();
        let accepting = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let (_, headers) = read_head(&mut tcp).await.unwrap();
            upgrade(tcp, &headers).await
        };
        let mut nobody = Nobody;
        let dialing = dial(Dial {
            url,
            tls: Trust::default().into(),
            proxy: Proxy::direct(),
            credentials: &mut nobody,
            config: LinkConfig::default(),
        });
        let ((backbone, unasked), dialed) = tokio::join!(accepting, dialing);
        let site = Arc::new(Self {
            backbone,
            tickets: Mutex::default(),
            minted: AtomicUsize::default(),
            sessions: AtomicUsize::default(),
            ends: Count::default(),
            _unasked: unasked,
        });
        tokio::spawn(connect(dialed.unwrap().1, Target { resource, site: site.clone() }));
        site
    }

    /// A ticket, and none before it is good any more.
    pub(super) fn ticket(&self, stream: StreamId) -> String {
        let ticket = format!("ticket-{}", self.minted.fetch_add(1, Ordering::SeqCst));
        self.tickets.lock().unwrap().insert(stream, ticket.clone());
        ticket
    }

    pub(super) fn admits(&self, ticket: &str, stream: StreamId) -> bool {
        self.tickets.lock().unwrap().get(&stream).is_some_and(|newest| newest == ticket)
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }
}

async fn connect(mut incoming: Incoming, target: Target) {
    let mut streams: HashMap<StreamId, Held<Near>> = HashMap::new();
    while let Some(event) = incoming.next().await {
        let Event::Open(lane) = event else { continue };
        let arrival = Arrival::read(lane).unwrap();
        let id = arrival.attach.stream;
        let taken = match streams.get(&id) {
            Some(held) => held.attach(arrival),
            None => begin(arrival, &target).map(|held| drop(streams.insert(id, held))),
        };
        if let Err(Rejected { lane, code }) = taken {
            lane.refuse(code, b"");
        }
    }
}

fn begin(arrival: Arrival, target: &Target) -> Result<Held<Near>, Rejected> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (input, output) = tokio::io::split(near);
    let cut = Cut::new();
    let terms = Terms {
        instance: [7; 16],
        config: StreamConfig::default(),
        expires_at: None,
        cut: cut.clone(),
        on_change: Arc::new(|_, _| {}),
    };
    let (held, carrying) = hold(arrival, Pipes::new(input, output), terms)?;
    let site = target.site.clone();
    tokio::spawn(async move {
        carrying.await;
        site.ends.add();
    });
    tokio::spawn(target.clone().serve(far, cut));
    Ok(held)
}

/// The resource.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) resource: Resource,
    pub(super) site: Arc<Site>,
}

impl Target {
    async fn serve(self, far: DuplexStream, cut: Cut) {
        if let Some(ended) = self.talk(far).await {
            cut.cut(ended);
        }
    }

    /// Serves a plain lane.
    pub(super) async fn serve_lane(self, mut lane: Lane) {
        if let Some(ended) = self.talk(&mut lane).await {
            lane.reset(ended.code());
        }
    }

    /// Speaks; says with what to cut it off.
    async fn talk(&self, mut bytes: impl AsyncRead + AsyncWrite + Unpin) -> Option<Ended> {
        self.site.sessions.fetch_add(1, Ordering::SeqCst);
        match self.resource {
            Resource::Shout => {
                let mut request = Vec::new();
                bytes.read_to_end(&mut request).await.ok()?;
                request.make_ascii_uppercase();
                bytes.write_all(&request).await.ok()?;
                bytes.shutdown().await.ok()?;
                None
            }
            Resource::Echo => {
                let (mut input, mut output) = tokio::io::split(bytes);
                tokio::io::copy(&mut input, &mut output).await.ok()?;
                output.shutdown().await.ok()?;
                None
            }
            Resource::Refused(..) => None,
            Resource::Cut(ended) => {
                bytes.write_all(b"hello").await.ok()?;
                bytes.read_u8().await.ok()?;
                Some(ended)
            }
        }
    }
}
