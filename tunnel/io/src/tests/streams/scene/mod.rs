//! A client, a gateway that knows nothing of streams, and a connector; the links between them die and come again.

mod roles;

use super::{
    super::End,
    near::{Near, PIPE, Target, pipe},
    wire::{Silence, Wire, wire},
    within,
};
use crate::{
    Budget, Cut, Detach, ForwardEnd, Forwarded, Lane, Link, LinkConfig, Open, OpenError,
    stream::{Carry, Held, StreamConfig, StreamDone, StreamKey, StreamState, carry},
};
use bytes::Bytes;
use postern_ids::StreamId;
use postern_tunnel_proto::{Heartbeat, Side};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    io::{DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
};

pub(super) const INSTANCE: [u8; 16] = [9; 16];
pub(super) const STREAM: StreamId = StreamId::from_bytes([7; 16]);

/// Everything that a test may look at or break.
#[derive(Clone)]
pub(super) struct Scene(Arc<Parts>);

pub(super) struct Parts {
    /// The newest link of the client, and of the connector, seen from the gateway's peer.
    pub(super) client: Mutex<Option<(Link, Silence)>>,
    connector: Mutex<Option<(Link, Silence)>>,
    /// The gateway's end of the connector's link.
    to_connector: Mutex<Option<Link>>,
    pub(super) held: Mutex<HashMap<StreamId, Held<Near>>>,
    /// What every attempt of the client began with.
    pub(super) attempts: Mutex<Vec<Bytes>>,
    /// What the connector refused, and what the gateway forwarded.
    pub(super) refused: Mutex<Vec<u16>>,
    pub(super) forwarded: Mutex<Vec<Forwarded>>,
    /// Of the newest forward at the gateway.
    pub(super) cut: Mutex<Cut>,
    pub(super) detach: Mutex<Detach>,
    /// What the connector and the client were told of the stream.
    pub(super) told_connector: Mutex<Vec<StreamState>>,
    pub(super) told_client: Mutex<Vec<StreamState>>,
    targets: mpsc::Sender<Target>,
    held_done: mpsc::Sender<StreamDone>,
    setup: Setup,
}

/// What a scene is made with.
#[derive(Clone, Default)]
pub(super) struct Setup {
    /// The client has a budget of its own.
    pub(super) config: StreamConfig,
    pub(super) expires_at: Option<Instant>,
    /// The session's, at the connector.
    pub(super) cut: Cut,
    pub(super) heartbeat: Heartbeat,
    pub(super) is_tcp: bool,
}

/// A silence that is soon noticed.
pub(super) fn short() -> Heartbeat {
    Heartbeat {
        ping_after: Duration::from_millis(100),
        dead_after: Duration::from_millis(400),
        ..Heartbeat::default()
    }
}

/// The two programs of a stream, and how it ends at each end.
pub(super) struct Stream {
    pub(super) program: DuplexStream,
    pub(super) cut: Cut,
    pub(super) carrying: JoinHandle<StreamDone>,
    targets: mpsc::Receiver<Target>,
    held_done: mpsc::Receiver<StreamDone>,
}

impl Stream {
    /// The target's end of the pipe that the connector dialed.
    pub(super) async fn target(&mut self) -> DuplexStream {
        match within(self.targets.recv()).await.unwrap() {
            Target::Pipe(pipe) => pipe,
            Target::Tcp(_) => panic!("the target is reached by TCP"),
        }
    }

    pub(super) async fn tcp_target(&mut self) -> TcpStream {
        match within(self.targets.recv()).await.unwrap() {
            Target::Tcp(tcp) => tcp,
            Target::Pipe(_) => panic!("the target is reached by a pipe"),
        }
    }

    /// Whether the connector dialed once more.
    pub(super) fn has_another_target(&mut self) -> bool {
        self.targets.try_recv().is_ok()
    }

    /// How the stream ended at the client and at the connector.
    pub(super) async fn ends(&mut self) -> (StreamDone, StreamDone) {
        let ends = async { ((&mut self.carrying).await.unwrap(), self.held_done.recv().await.unwrap()) };
        within(ends).await
    }
}

impl Scene {
    /// Everybody is connected, and the client carries one stream.
    pub(super) fn start(config: StreamConfig) -> (Self, Stream) {
        Self::start_with(Setup { config, ..Setup::default() })
    }

    pub(super) fn start_with(setup: Setup) -> (Self, Stream) {
        let (targets, target) = mpsc::channel(16);
        let (held_done, done) = mpsc::channel(16);
        let config = StreamConfig { budget: Budget::default(), ..setup.config };
        let scene = Self(Arc::new(Parts {
            client: Mutex::default(),
            connector: Mutex::default(),
            to_connector: Mutex::default(),
            held: Mutex::default(),
            attempts: Mutex::default(),
            refused: Mutex::default(),
            forwarded: Mutex::default(),
            cut: Mutex::default(),
            detach: Mutex::default(),
            told_connector: Mutex::default(),
            told_client: Mutex::default(),
            targets,
            held_done,
            setup,
        }));
        scene.connect_connector();
        scene.connect_client();
        let (program, near) = duplex(PIPE);
        let cut = Cut::new();
        let carrying = tokio::spawn(carry(
            Carry {
                local: pipe(near),
                id: STREAM,
                key: StreamKey::generate().unwrap(),
                config,
                cut: cut.clone(),
            },
            scene.clone(),
        ));
        (scene, Stream { program, cut, carrying, targets: target, held_done: done })
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The client's link is made anew; the one before stays as it is.
    pub(super) fn connect_client(&self) {
        let (near, far, silence) = wire();
        let client = self.end(near, Side::Dialer);
        let gateway = self.end(far, Side::Acceptor);
        *self.0.client.lock().unwrap() = Some((client.link, silence));
        tokio::spawn(self.clone().serve_client(gateway.incoming));
    }

    pub(super) fn connect_connector(&self) {
        let (near, far, silence) = wire();
        let connector = self.end(near, Side::Dialer);
        let gateway = self.end(far, Side::Acceptor);
        *self.0.connector.lock().unwrap() = Some((connector.link, silence));
        *self.0.to_connector.lock().unwrap() = Some(gateway.link);
        tokio::spawn(self.clone().serve_connector(connector.incoming));
    }

    fn end(&self, wire: Wire, side: Side) -> End {
        let heartbeat = self.0.setup.heartbeat;
        End::new(wire, side, LinkConfig { churn: None, heartbeat, ..LinkConfig::default() })
    }

    /// Waits for what other tasks bring about.
    pub(super) async fn until(&self, is_so: impl Fn(&Parts) -> bool) {
        within(async {
            while !is_so(&self.0) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// The link dies loudly; the client has no other until it is connected again.
    pub(super) fn kill_client_link(&self) {
        if let Some((link, _)) = self.0.client.lock().unwrap().take() {
            link.close(1001, "killed");
        }
    }

    pub(super) fn kill_connector_link(&self) {
        if let Some((link, _)) = self.0.connector.lock().unwrap().take() {
            link.close(1001, "killed");
        }
    }

    /// The client's link falls silent, and nobody is told.
    pub(super) fn silence_client_link(&self) {
        if let Some((_, silence)) = &*self.0.client.lock().unwrap() {
            silence.fall();
        }
    }

    /// What the client says arrives nowhere any more; it still hears.
    pub(super) fn mute_client_link(&self) {
        if let Some((_, silence)) = &*self.0.client.lock().unwrap() {
            silence.mute_near_end();
        }
    }

    /// The client gives its link up and dials another one; to the gateway the old one still lives.
    pub(super) fn abandon_client_link(&self) {
        let abandoned = self.0.client.lock().unwrap().take();
        self.connect_client();
        if let Some((link, silence)) = abandoned {
            silence.fall();
            link.close(1001, "abandoned");
        }
    }

    /// Opens a lane with these early data on the client's link, as somebody who recorded or forged them would.
    pub(super) async fn open(&self, early: Bytes) -> Result<Lane, OpenError> {
        let link = self.0.client.lock().unwrap().as_ref().map(|(link, _)| link.clone()).unwrap();
        within(link.open(Open { early, ..Open::default() })).await.map(|opened| opened.lane)
    }

    pub(super) fn held(&self) -> Held<Near> {
        self.0.held.lock().unwrap().get(&STREAM).cloned().unwrap()
    }

    /// How the newest forward that is over ended.
    pub(super) fn forward_ends(&self) -> Vec<ForwardEnd> {
        self.0.forwarded.lock().unwrap().iter().map(|forwarded| forwarded.end).collect()
    }
}
