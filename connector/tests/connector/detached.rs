//! Streams whose client is away: what they keep, and what ends them (T7).

use crate::{
    client::{Attempt, Client, data, receive, reset, send, welcome},
    gateway::{Dialed, Gateway, PATIENCE, Running, Scene},
    inventory::list,
    target::target,
};
use postern_ids::{Ended, Refusal};
use postern_token::{GrantClaims, SessionClaims};
use postern_tunnel_io::{Lane, inventory::State};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// One stream with its first lane.
struct Session {
    target: TcpListener,
    address: SocketAddr,
    gateway: Gateway,
    connector: Running,
    dialed: Dialed,
    client: Client,
    claims: GrantClaims,
    lane: Lane,
    instance: [u8; 16],
    tcp: TcpStream,
}

impl Session {
    async fn start(limits: &str) -> Self {
        Self::with(limits, |claims| claims).await
    }

    async fn with(limits: &str, change: impl FnOnce(GrantClaims) -> GrantClaims) -> Self {
        let (target, address, allow) = target().await;
        let (gateway, connector) = Gateway::start(Scene { allow: &allow, limits, ..Scene::default() }).await;
        let dialed = gateway.accept().await;
        let client = Client::new();
        let claims = change(client.claims(&gateway, address));
        let mut lane = client.open(&gateway, &dialed.link, &claims, Attempt::first()).await.unwrap();
        let (_, _, instance) = welcome(&mut lane).await;
        let (tcp, _) = target.accept().await.unwrap();
        Self { target, address, gateway, connector, dialed, client, claims, lane, instance, tcp }
    }

    /// Its gateway goes, and comes back: the stream is listed as detached there.
    async fn detach(&mut self) {
        self.dialed.link.close(1012, "restarting");
        self.dialed = self.gateway.accept().await;
        let listed = list(&mut self.dialed.incoming).await;
        assert_eq!(listed.iter().map(|entry| entry.state).collect::<Vec<_>>(), [State::Detached]);
    }

    async fn resume(&self, generation: u32, received: u64) -> Result<Lane, u16> {
        let attempt = Attempt { generation, resume_only: true, received, instance: self.instance };
        self.client.open(&self.gateway, &self.dialed.link, &self.claims, attempt).await
    }

    /// The target sees its connection closed.
    async fn closed(&mut self) {
        let closed = timeout(PATIENCE, self.tcp.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(closed, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn f01_a_stream_goes_on_at_the_exact_byte_after_its_gateway_was_killed() {
    let mut session = Session::start("slots = 1").await;
    session.tcp.write_all(b"before ").await.unwrap();
    assert_eq!(data(&mut session.lane).await, (0, b"before ".to_vec()));
    session.detach().await;
    session.tcp.write_all(b"while away ").await.unwrap();
    let mut lane = session.resume(2, 7).await.unwrap();
    assert_eq!(welcome(&mut lane).await, (2, 0, session.instance));
    session.tcp.write_all(b"after").await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 16 {
        let (offset, bytes) = data(&mut lane).await;
        assert_eq!(offset, 7 + heard.len() as u64, "neither a gap nor a byte twice");
        heard.extend(bytes);
    }
    assert_eq!(heard, b"while away after");
    send(&mut lane, 0, b"up").await;
    let mut up = [0; 2];
    session.tcp.read_exact(&mut up).await.unwrap();
    assert_eq!(&up, b"up");
}

#[tokio::test]
async fn t07_a_session_that_is_killed_while_detached_closes_its_target_at_once_and_for_good() {
    let mut session = Session::start("slots = 1").await;
    session.detach().await;
    session.dialed.link.kill(session.claims.session, Ended::Revoked.code());
    session.closed().await;
    let refused = session.resume(2, 0).await.unwrap_err();
    assert_eq!(refused, Refusal::Revoked.code(), "whoever comes later is told why");
    // Not even in a new session, by a client that never had an answer and asks for the same stream.
    let again = Attempt { generation: 3, ..Attempt::first() };
    let other =
        GrantClaims { session: session.gateway.claims(session.address).session, ..session.claims.clone() };
    let opened = session.client.open(&session.gateway, &session.dialed.link, &other, again).await;
    assert_eq!(opened.unwrap_err(), Refusal::Revoked.code());
}

#[tokio::test]
async fn t07_a_session_that_is_killed_while_attached_tells_its_client() {
    let mut session = Session::start("slots = 1").await;
    session.dialed.link.kill(session.claims.session, Ended::Revoked.code());
    session.closed().await;
    assert_eq!(reset(&mut session.lane).await.code, Ended::Revoked.code());
    assert_eq!(session.resume(2, 0).await.unwrap_err(), Refusal::Revoked.code());
}

#[tokio::test]
async fn a_client_that_stays_away_for_the_window_loses_its_target() {
    let mut session = Session::start("slots = 1\nresume_window_seconds = 1").await;
    session.detach().await;
    session.closed().await;
    assert_eq!(session.resume(2, 0).await.unwrap_err(), Refusal::ResumeUnknown.code());
}

#[tokio::test]
async fn the_hard_expiry_of_a_session_ends_it_attached_or_not() {
    let soon = |claims: GrantClaims| {
        let expires_at = Some(claims.iat.plus(Duration::from_secs(1)));
        let ses = claims.ses.map(|ses| SessionClaims { expires_at, ..ses });
        GrantClaims { ses, ..claims }
    };
    let mut attached = Session::with("slots = 1", soon).await;
    attached.closed().await;
    assert_eq!(reset(&mut attached.lane).await.code, Ended::Expired.code());
    let mut detached = Session::with("slots = 1", soon).await;
    detached.dialed.link.close(1012, "restarting");
    detached.closed().await;
    detached.dialed = detached.gateway.accept().await;
    let listed = list(&mut detached.dialed.incoming).await;
    assert_eq!(listed.first().unwrap().state, State::Over(Ended::Expired.code()));
}

#[tokio::test]
async fn detached_streams_count_against_the_limit_of_sessions() {
    let mut session = Session::start("slots = 1\nsessions_max = 1").await;
    session.detach().await;
    let other = Client::new();
    let claims = other.claims(&session.gateway, session.address);
    let opened = other.open(&session.gateway, &session.dialed.link, &claims, Attempt::first()).await;
    assert_eq!(opened.unwrap_err(), Refusal::Limit.code());
    let mut lane = session.resume(2, 0).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 2, "a stream that is held may always be resumed");
    session.dialed.link.kill(session.claims.session, Ended::EndedByAdmin.code());
    session.closed().await;
    session.connector.until(|status| status.sessions_live == 0).await;
    let again = Attempt { generation: 2, ..Attempt::first() };
    other.open(&session.gateway, &session.dialed.link, &claims, again).await.unwrap();
    session.target.accept().await.unwrap();
}

#[tokio::test]
async fn status_tells_which_sessions_wait_for_their_client() {
    let mut session = Session::start("slots = 1").await;
    let status = session.connector.until(|status| status.streams.held == 1).await;
    assert_eq!((status.streams.detached, status.streams.detached_since), (0, None));
    session.detach().await;
    let status = session.connector.until(|status| status.streams.detached == 1).await;
    assert!(status.streams.detached_since.is_some());
    let _lane = session.resume(2, 0).await.unwrap();
    session.connector.until(|status| (status.streams.held, status.streams.detached) == (1, 0)).await;
}

#[tokio::test]
async fn a_connector_that_stops_ends_at_once_what_nobody_can_resume_and_tells_its_gateways() {
    let mut session = Session::start("slots = 1").await;
    session.detach().await;
    session.connector.orders.stop.cancel();
    session.closed().await;
    let told = crate::inventory::news(&mut session.dialed.incoming).await;
    assert_eq!(told.first().unwrap().state, State::Over(Ended::ConnectorLost.code()));
    let ended = timeout(PATIENCE, session.dialed.link.closed()).await.unwrap();
    assert_eq!(ended.code, 1001);
    session.connector.ended().await.unwrap();
}

#[tokio::test]
async fn a_target_that_breaks_while_the_client_is_away_is_told_when_it_comes_back() {
    let mut session = Session::start("slots = 1").await;
    session.detach().await;
    session.tcp.set_zero_linger().unwrap();
    drop(std::mem::replace(&mut session.tcp, TcpStream::connect(session.address).await.unwrap()));
    let told = crate::inventory::news(&mut session.dialed.incoming).await;
    assert_eq!(told.first().unwrap().state, State::Over(Ended::TargetFailed.code()));
    assert_eq!(session.resume(2, 0).await.unwrap_err(), Ended::TargetFailed.code());
}

#[tokio::test]
async fn a_target_that_finishes_while_the_client_is_away_has_said_everything() {
    use crate::client::Record;
    let mut session = Session::start("slots = 1").await;
    session.detach().await;
    session.tcp.write_all(b"goodbye").await.unwrap();
    session.tcp.shutdown().await.unwrap();
    let mut lane = session.resume(2, 0).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 2);
    assert_eq!(data(&mut lane).await, (0, b"goodbye".to_vec()));
    assert_eq!(receive(&mut lane).await, Some(Record::Fin(7)));
}
