//! What gateways are told of held streams: everything over a new link, and then what changes.

use crate::{
    client::{Attempt, Client, welcome},
    gateway::{Dialed, Gateway, PATIENCE, Scene},
    target::target,
};
use postern_ids::{Ended, Refusal};
use postern_token::{Expect, KeySet, verify_grant};
use postern_tunnel_io::{
    Event, Incoming, Link,
    inventory::{Entry, State, entries},
};
use tokio::{io::AsyncReadExt, time::timeout};

/// The next parts of an inventory, up to the last one.
async fn told(incoming: &mut Incoming) -> Vec<Entry> {
    let mut all = vec![];
    loop {
        match timeout(PATIENCE, incoming.next()).await.expect("the connector told something") {
            Some(Event::Inventory { entries: part, last }) => {
                all.extend(entries(part).map(Result::unwrap));
                if last {
                    return all;
                }
            }
            Some(Event::GoAway { .. }) => {}
            other => panic!("no inventory: {other:?}"),
        }
    }
}

/// The whole list, as the first thing over a new link.
pub(crate) async fn list(incoming: &mut Incoming) -> Vec<Entry> {
    told(incoming).await
}

/// The next news.
pub(crate) async fn news(incoming: &mut Incoming) -> Vec<Entry> {
    told(incoming).await
}

/// News until this stream is told to stand so.
async fn until(incoming: &mut Incoming, client: &Client, state: State) -> Entry {
    loop {
        let news = news(incoming).await;
        if let Some(entry) = news.into_iter().find(|told| told.stream == client.stream && told.state == state)
        {
            return entry;
        }
    }
}

/// Two gateways that share a connector, each with one link.
struct Pair {
    gateway: Gateway,
    near: Dialed,
    far: Dialed,
    _running: crate::gateway::Running,
}

impl Pair {
    async fn start(allow: &[String]) -> Self {
        let scene = Scene { allow, gateways: 2, ..Scene::default() };
        let (gateway, running) = Gateway::start(scene).await;
        let (mut near, mut far) = (gateway.accept_at(0).await, gateway.accept_at(1).await);
        assert_eq!(list(&mut near.incoming).await, [], "an empty list is told as well");
        assert_eq!(list(&mut far.incoming).await, []);
        Self { gateway, near, far, _running: running }
    }
}

async fn open(pair: &Pair, client: &Client, link: &Link, address: std::net::SocketAddr) {
    let claims = client.claims(&pair.gateway, address);
    let mut lane = client.open(&pair.gateway, link, &claims, Attempt::first()).await.unwrap();
    assert_eq!(welcome(&mut lane).await.0, 1);
    // Nobody resets it: the lane stays as it is, and its link decides.
    std::mem::forget(lane);
}

#[tokio::test]
async fn f13_a_new_link_tells_every_held_stream_with_its_grant() {
    let (_target, address, allow) = target().await;
    let pair = Pair::start(&allow).await;
    let (stays, goes) = (Client::new(), Client::new());
    open(&pair, &stays, &pair.far.link, address).await;
    open(&pair, &goes, &pair.near.link, address).await;
    pair.near.link.close(1012, "restarting");
    let mut again = pair.gateway.accept_at(0).await;
    let listed = list(&mut again.incoming).await;
    assert_eq!(listed.len(), 2);
    for (client, state) in [(&stays, State::Attached), (&goes, State::Detached)] {
        let entry = listed.iter().find(|entry| entry.stream == client.stream).unwrap();
        assert_eq!((entry.state, entry.generation), (state, 1));
        let keys = KeySet::of(crate::gateway::ISSUER, [pair.gateway.grant_key.verifying().clone()].to_vec());
        let audience = pair.gateway.connector.to_string();
        let expect = Expect { issuer: crate::gateway::ISSUER, audience: &audience };
        let grant = std::str::from_utf8(&entry.grant).unwrap();
        let claims = verify_grant(grant, &keys, expect, pair.gateway.now).unwrap().into_inner();
        assert_eq!((claims.session, claims.stream), (entry.session, Some(client.stream)));
    }
}

#[tokio::test]
async fn f15_news_of_a_stream_reach_the_gateways_that_do_not_carry_it() {
    let (target, address, allow) = target().await;
    let mut pair = Pair::start(&allow).await;
    let client = Client::new();
    let claims = client.claims(&pair.gateway, address);
    let mut lane = client.open(&pair.gateway, &pair.near.link, &claims, Attempt::first()).await.unwrap();
    let (_, _, instance) = welcome(&mut lane).await;
    let (mut tcp, _) = target.accept().await.unwrap();
    pair.near.link.close(1006, "");
    let entry = until(&mut pair.far.incoming, &client, State::Detached).await;
    assert_eq!((entry.session, entry.generation), (claims.session, 1));
    assert!(!entry.grant.is_empty(), "the gateway that takes it over needs the grant");
    // It goes on at the other gateway, which gave a grant of its own.
    let resume = Attempt { generation: 2, resume_only: true, received: 0, instance };
    let lane = client.open(&pair.gateway, &pair.far.link, &claims, resume).await.unwrap();
    assert_eq!(until(&mut pair.far.incoming, &client, State::Attached).await.generation, 2);
    // The first gateway is back, and learns that the stream lives elsewhere, or waits for its client.
    let mut near = pair.gateway.accept_at(0).await;
    let listed = list(&mut near.incoming).await;
    assert_eq!(
        listed.iter().map(|entry| (entry.generation, entry.state)).collect::<Vec<_>>(),
        [(2, State::Attached)]
    );
    lane.detach(Refusal::Draining.code());
    until(&mut near.incoming, &client, State::Detached).await;
    // It ends without a lane: whoever is there is told how.
    near.link.kill(claims.session, Ended::UserDisabled.code());
    assert!(matches!(timeout(PATIENCE, tcp.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    let over = State::Over(Ended::UserDisabled.code());
    for incoming in [&mut near.incoming, &mut pair.far.incoming] {
        let entry = until(incoming, &client, over).await;
        assert!(entry.grant.is_empty(), "nobody needs the grant of what is over");
    }
}

#[tokio::test]
async fn an_end_that_no_gateway_saw_is_in_the_next_list() {
    let (target, address, allow) = target().await;
    let scene = Scene { allow: &allow, limits: "slots = 1\nresume_window_seconds = 1", ..Scene::default() };
    let (gateway, _running) = Gateway::start(scene).await;
    let dialed = gateway.accept().await;
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let _lane = client.open(&gateway, &dialed.link, &claims, Attempt::first()).await.unwrap();
    let (mut tcp, _) = target.accept().await.unwrap();
    dialed.link.close(1012, "restarting");
    // The gateway lets nobody in until the window is over.
    assert!(matches!(timeout(PATIENCE, tcp.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    let mut dialed = gateway.accept().await;
    let listed = list(&mut dialed.incoming).await;
    let told: Vec<_> = listed.iter().map(|entry| (entry.session, entry.state)).collect();
    assert_eq!(told, [(claims.session, State::Over(Ended::ResumeFailed.code()))]);
}

#[tokio::test]
async fn an_end_on_a_lane_is_no_news_for_the_other_gateways() {
    let (target, address, allow) = target().await;
    let mut pair = Pair::start(&allow).await;
    let (seen, marker) = (Client::new(), Client::new());
    let claims = seen.claims(&pair.gateway, address);
    let _lane = seen.open(&pair.gateway, &pair.near.link, &claims, Attempt::first()).await.unwrap();
    let (mut tcp, _) = target.accept().await.unwrap();
    pair.near.link.kill(claims.session, Ended::Revoked.code());
    assert!(matches!(timeout(PATIENCE, tcp.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    open(&pair, &marker, &pair.near.link, address).await;
    pair.near.link.close(1012, "restarting");
    let news = news(&mut pair.far.incoming).await;
    assert_eq!(news.iter().map(|entry| entry.stream).collect::<Vec<_>>(), [marker.stream]);
}

#[tokio::test]
async fn f18_an_end_on_a_lane_whose_link_dies_under_it_stands_in_the_next_list() {
    let (target, address, allow) = target().await;
    let (gateway, _running) = Gateway::with_connector(&allow).await;
    let mut dialed = gateway.accept().await;
    assert_eq!(list(&mut dialed.incoming).await, []);
    let client = Client::new();
    let claims = client.claims(&gateway, address);
    let lane = client.open(&gateway, &dialed.link, &claims, Attempt::first()).await.unwrap();
    let (tcp, _) = target.accept().await.unwrap();
    tcp.set_zero_linger().unwrap();
    drop(tcp);
    // The lane may have told how its stream ended; this gateway was not there to read it.
    drop(lane);
    dialed.link.close(1006, "");
    let mut dialed = gateway.accept().await;
    let listed = list(&mut dialed.incoming).await;
    let told: Vec<_> = listed.iter().map(|entry| (entry.session, entry.state)).collect();
    assert_eq!(told, [(claims.session, State::Over(Ended::TargetFailed.code()))]);
}

#[tokio::test]
async fn a_link_that_dies_under_many_streams_makes_few_messages_of_news() {
    const STREAMS: usize = 200;
    let (target, address, allow) = target().await;
    let mut pair = Pair::start(&allow).await;
    let accepting = async move {
        let mut all = vec![];
        loop {
            all.push(target.accept().await.unwrap());
        }
    };
    tokio::spawn(accepting);
    for _ in 0..STREAMS {
        open(&pair, &Client::new(), &pair.near.link, address).await;
    }
    pair.near.link.close(1012, "restarting");
    let (mut detached, mut messages) = (0, 0);
    while detached < STREAMS {
        let entries = news(&mut pair.far.incoming).await;
        assert!(entries.iter().all(|entry| entry.state == State::Detached));
        detached += entries.len();
        messages += 1;
    }
    assert_eq!(detached, STREAMS, "each is told once");
    assert!(messages <= 20, "{messages} messages");
}
