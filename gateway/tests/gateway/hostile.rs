//! Peers that proved who they are and then break the rules: they lose their link, and nobody else loses anything.

use crate::support::{
    Account, Echo, PATIENCE, Scene, Served,
    raw_peer::{CREDIT, DATA, FIN, Heard, OPENED, REFUSED, RawPeer, frame, open, request},
};
use postern_ids::{ConnectorId, Refusal};
use postern_tunnel_io::{Incoming, Lane, Link};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Two accounts that may reach one resource; the second one has a session.
struct Both {
    scene: Scene,
    attacker: Account,
    echo: Echo,
    _link: (Link, Incoming),
    session: Lane,
}

impl Both {
    async fn new() -> Self {
        let scene = Scene::start().await;
        let site = scene.site("office").await;
        let resource = scene.resource(site, "db-1").await;
        let (attacker, other) = (scene.account("attacker").await, scene.account("other").await);
        scene.grant(&attacker, resource).await;
        scene.grant(&other, resource).await;
        let connector = scene.connector(site, "edge-1").await;
        let echo = scene.echo(&connector).await;
        let link = scene.dial_client(&other.token).await.unwrap();
        let session = crate::support::open(&link.0, "db-1").await.unwrap().lane;
        Self { scene, attacker, echo, _link: link, session }
    }

    /// The other one's session is as it was, and the connector's link too.
    async fn are_unharmed(&mut self) {
        let round = async {
            self.session.write_all(b"still here").await.unwrap();
            let mut back = [0; 10];
            self.session.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, b"still here");
        };
        tokio::time::timeout(PATIENCE, round).await.unwrap();
        assert!(!self.echo.link.is_closed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_a_client_that_breaks_flow_control_is_cut_off_with_4413_and_others_go_on() {
    let mut both = Both::new().await;
    let opening = open(1, &request("db-1"));
    let early = [opening.clone(), frame(DATA, 1, b"too early")].concat();
    let overflow = frame(CREDIT, 1, &0x7fff_ffff_u32.to_be_bytes());
    let after_fin = [frame(FIN, 1, b""), frame(DATA, 1, b"too late")].concat();
    let twice = [frame(FIN, 1, b""), frame(FIN, 1, b"")].concat();
    let mut peer = RawPeer::client(&both.scene, &both.attacker.token).await;
    peer.say(&early).await;
    assert_eq!(peer.closed().await, 4413, "data before the answer");
    for (name, frames) in
        [("a window overflow", overflow), ("data after fin", after_fin), ("fin twice", twice)]
    {
        let mut peer = RawPeer::client(&both.scene, &both.attacker.token).await;
        peer.say(&opening).await;
        assert!(matches!(peer.until(OPENED).await, Heard::Frame { lane: 1, .. }));
        peer.say(&frames).await;
        assert_eq!(peer.closed().await, 4413, "{name}");
    }
    both.are_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t04_a_client_that_opens_without_end_is_refused_then_cut_off_with_4429_and_others_open_on() {
    let mut both = Both::new().await;
    let wanted = request("db-1");
    let opens = |from: u32, count: u32| {
        (from..from + count).flat_map(|n| open(1 + 2 * n, &wanted)).collect::<Vec<_>>()
    };
    let mut peer = RawPeer::client(&both.scene, &both.attacker.token).await;
    for from in (0..1_000_000).step_by(500) {
        // Once it is over for the gateway, the connection may break at any time.
        if !peer.try_say(&opens(from, 500)).await {
            break;
        }
    }
    both.are_unharmed().await;
    let reached = both.echo.grants.lock().unwrap().len();
    assert!(reached <= 401, "{reached} sessions reached the connector: more than the burst of a principal");
    let mut peer = RawPeer::client(&both.scene, &both.attacker.token).await;
    peer.say(&opens(0, 900)).await;
    let mut refused = 0;
    let end = loop {
        match peer.until(REFUSED).await {
            Heard::Frame { payload, .. } => {
                assert_eq!(payload[..2], Refusal::Limit.code().to_be_bytes());
                refused += 1;
            }
            heard @ (Heard::Close(_) | Heard::Gone) => break heard,
        }
    };
    assert_eq!(end, Heard::Close(4429), "after {refused} refusals");
    both.are_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_what_a_connector_says_of_itself_in_headers_is_ignored() {
    let scene = Scene::start().await;
    let site = scene.site("office").await;
    let (victim, attacker) = (scene.connector(site, "victim").await, scene.connector(site, "attacker").await);
    let claims: String =
        ["X-Postern-Connector", "Postern-Connector", "X-Connector-Id", "X-Forwarded-User", "X-Client-Cert"]
            .iter()
            .map(|name| format!("{name}: {}\r\n", victim.id))
            .collect();
    let claims = format!(
        "{claims}X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Client-Cert: Subject=\"CN={}\"\r\n",
        victim.id
    );
    let _peer = RawPeer::connector(&scene, &attacker, &claims).await;
    scene.online(attacker.id).await;
    assert!(!scene.node.connectors().registry().is_online(victim.id));
    let online: Vec<ConnectorId> = scene.node.connectors().online();
    assert_eq!(online, [attacker.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_each_open_on_a_link_is_decided_for_itself() {
    let Served { scene, site, account, grant, echo, link, .. } = &Served::start().await;
    scene.resource(*site, "db-2").await;
    crate::support::open(link, "db-1").await.unwrap();
    // The link was let in, and the lane before this one: this one is not.
    assert_eq!(crate::support::refused(link, "db-2").await, Refusal::Denied.code());
    let mut change = scene.change().await;
    change.delete::<postern_policy::model::Grant>(grant, postern_store::Expect::Any).await.unwrap();
    scene.commit(change).await;
    assert_eq!(crate::support::refused(link, "db-1").await, Refusal::Denied.code());
    // More than one request in one Open leaves open which of them was meant.
    let doubled = request("db-1") + &request("db-2");
    let mut peer = RawPeer::client(scene, &account.token).await;
    peer.say(&open(1, &doubled)).await;
    let Heard::Frame { payload, .. } = peer.until(REFUSED).await else { panic!("not refused") };
    assert_eq!(payload[..2], Refusal::BadRequest.code().to_be_bytes());
    assert_eq!(echo.grants.lock().unwrap().len(), 1, "what the connector was asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_client_asks_for_a_name_and_never_for_an_address() {
    let Served { scene, account, echo, link, incoming: _incoming, .. } = Served::start().await;
    for address in [
        "127.0.0.1:22",
        "127.0.0.1",
        "[::1]:22",
        "::ffff:127.0.0.1",
        "0.0.0.0:80",
        "169.254.169.254:80",
        "fe80::1",
        "100.64.0.1:22",
        "2130706433",
        "0x7f000001",
        "localhost.",
        "10.0.0.5:22",
        "db-1:22",
        "unix:/run/docker.sock",
    ] {
        let told = crate::support::refused(&link, address).await;
        let refusals = [Refusal::BadRequest, Refusal::NoSuchResource].map(Refusal::code);
        assert!(refusals.contains(&told), "{address}: {told}");
    }
    // Nor does anything else that a request could hold lead to one.
    for more in [r#""target":"127.0.0.1:22""#, r#""host":"127.0.0.1""#, r#""port":23"#] {
        let wanted = request("db-1").replacen('{', &format!("{{{more},"), 1);
        let mut peer = RawPeer::client(&scene, &account.token).await;
        peer.say(&open(1, &wanted)).await;
        let Heard::Frame { payload, .. } = peer.until(REFUSED).await else { panic!("{more}: not refused") };
        assert_eq!(payload[..2], Refusal::BadRequest.code().to_be_bytes(), "{more}");
    }
    assert_eq!(echo.grants.lock().unwrap().len(), 0, "the connector was asked for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_a_connector_that_speaks_of_what_is_not_its_own_is_cut_off_and_others_go_on() {
    let mut both = Both::new().await;
    let site = both.scene.site("factory").await;
    let hostile = both.scene.connector(site, "hostile").await;
    let lanes_without_end = (0..20).flat_map(|n| open(1 + 2 * n, "{}")).collect();
    let cases: [(&str, Vec<u8>, u16); 7] = [
        ("an answer to what nobody asked", frame(OPENED, 2, b""), 1002),
        ("answers without end", (1..500).flat_map(|n| frame(OPENED, 2 * n, b"")).collect(), 1002),
        ("bytes of a lane that is not there", frame(DATA, 2, b"x"), 1002),
        ("bytes of a lane that it never opened", frame(DATA, 1, b"x"), 1002),
        ("a refusal with a novel", frame(REFUSED, 2, &[b'<'; 300]), 1002),
        ("a list that is none", frame(crate::support::raw_peer::INVENTORY, 0, b"nonsense"), 1002),
        ("lanes without end", lanes_without_end, 4429),
    ];
    for (name, frames, code) in cases {
        let mut peer = RawPeer::connector(&both.scene, &hostile, "").await;
        peer.say(&frames).await;
        assert_eq!(peer.closed().await, code, "{name}");
        let registry = both.scene.node.connectors().registry();
        both.scene.until(|| !registry.is_online(hostile.id)).await;
    }
    both.are_unharmed().await;
}
