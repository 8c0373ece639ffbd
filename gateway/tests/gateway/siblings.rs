//! Two gateways on one Postgres: one installation. Skipped, and said so, without a server to make a database on.

use crate::support::{
    Bearer, PATIENCE, Scene, now, open,
    siblings::{Siblings, database, psql, write_master_key},
    streams::{Carried, Holder, StreamClient, echoed, reset_code},
};
use postern_api::tunnel::OpenReply;
use postern_ids::{Ended, Refusal, SessionId};
use postern_policy::model::Settings;
use postern_store::{Actor, Expect, KeyKind, SessionEntry, SessionFilter};
use postern_tunnel_io::{Dial, LinkConfig, Proxy, dial, inventory::State, tls::Trust};

fn header(token: &str) -> &str {
    token.split('.').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_on_one_store_share_authority_and_keys_and_keep_journals_of_their_own() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    assert_eq!(first.node.ca_sha256(), second.node.ca_sha256());
    let (one, two) = (first.echo(&siblings.connector).await, second.echo(&siblings.connector).await);
    for scene in [first, second] {
        let (link, _incoming) = scene.dial_client(&siblings.account.token).await.unwrap();
        open(&link, "db-1").await.unwrap();
    }
    let grants = [one.grants.lock().unwrap().concat(), two.grants.lock().unwrap().concat()];
    assert_eq!(header(&grants[0]), header(&grants[1]), "a connector pins one key for all gateways");
    let rows = async {
        loop {
            let rows = first.store().sessions(&SessionFilter::default(), 10).await.unwrap();
            if rows.len() == 2 {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    let rows = tokio::time::timeout(PATIENCE, rows).await.unwrap();
    assert_ne!(rows[0].node, rows[1].node);
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_start_at_once_on_an_empty_store_agree_on_everything_they_make() {
    let Some((server, name)) = database() else { return };
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("master.key");
    write_master_key(&key);
    let store = format!("{server}/{name}");
    let settings = [
        ("store.url", store.as_str()),
        ("master_key_file", key.to_str().unwrap()),
        ("public_url", "https://gate.test"),
    ];
    let start = || Scene::start_with(&settings);
    let (one, two, three) = tokio::join!(start(), start(), start());
    let kids = |scene: &Scene| {
        let store = scene.store().clone();
        async move {
            let mut kids = Vec::new();
            for kind in [KeyKind::Ca, KeyKind::Access, KeyKind::Assertion, KeyKind::Grant] {
                kids.extend(store.signing_keys(kind, now()).await.unwrap().into_iter().map(|key| key.kid));
            }
            kids
        }
    };
    assert_eq!(kids(&one).await.len(), 4, "one key of each kind");
    for other in [&two, &three] {
        assert_eq!(one.node.ca_sha256(), other.node.ca_sha256());
    }
    for scene in [one, two, three] {
        scene.node.stop().await;
    }
    psql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_own_certificate_names_the_hosts_of_all_gateways() {
    let Some(siblings) = Siblings::start().await else { return };
    let node = &siblings.second.node;
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/tunnel/client", node.public.port()).parse().unwrap();
        let mut bearer = Bearer(siblings.account.token.clone());
        let dialed = dial(Dial {
            url,
            tls: Trust::pinned(node.ca_sha256().unwrap()).into(),
            proxy: Proxy::direct(),
            credentials: &mut bearer,
            config: LinkConfig::default(),
        });
        let _link = dialed.await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d05_a_session_that_is_ended_through_the_store_is_cut_on_the_gateway_that_carries_it() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    let _echo = second.echo(&siblings.connector).await;
    let (link, _incoming) = second.dial_client(&siblings.account.token).await.unwrap();
    let (ending, _kept) = (open(&link, "db-1").await.unwrap(), open(&link, "db-1").await.unwrap());
    let reply: OpenReply = serde_json::from_slice(&ending.metadata).unwrap();
    let mut lane = ending.lane;

    let by = Actor::system("test");
    first.store().end_session(reply.session, Ended::EndedByAdmin, &by, now()).await.unwrap();
    assert_eq!(reset_code(&mut lane).await, Ended::EndedByAdmin.code());
    assert_eq!(second.node.live().len(), 1, "the other session lives");
    siblings.stop().await;
}

impl Siblings {
    /// The connector's links to both, which hold nothing yet.
    async fn holders(&self) -> (Holder, Holder) {
        let first = Holder::start(&self.first, &self.connector, 0, Vec::new()).await;
        (first, Holder::start(&self.second, &self.connector, 0, Vec::new()).await)
    }

    fn client(&self) -> StreamClient {
        StreamClient { instance: self.connector.instance.to_bytes(), ..StreamClient::new() }
    }

    /// The session as the store has it, once it looks so.
    async fn recorded(&self, session: SessionId, looks: impl Fn(&SessionEntry) -> bool) -> SessionEntry {
        let wait = async {
            loop {
                let rows = self.first.store().sessions(&SessionFilter::default(), 10).await.unwrap();
                if let Some(row) = rows.into_iter().find(|row| row.id == session && looks(row)) {
                    return row;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the store's session looks so")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_session_moves_while_its_gateway_believes_that_it_carries_it() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    let (old, new) = siblings.holders().await;
    let mut client = siblings.client();
    let (link, _incoming) = first.dial_client(&siblings.account.token).await.unwrap();
    let mut carried = client.open(&link, "db-1").await.unwrap();
    echoed(&mut carried.lane, b"hello").await;
    let (link, _second_incoming) = second.dial_client(&siblings.account.token).await.unwrap();
    let mut moved = client.resume(&link).await.unwrap();
    assert_eq!(moved.session, carried.session);
    // The connector lets go of the older lane, as it does for every newer attempt.
    old.detach(1, Refusal::Superseded.code());
    first.until(|| first.node.live().is_empty()).await;
    echoed(&mut moved.lane, b"here").await;
    let row = siblings.recorded(carried.session, |row| row.generation == 2 && row.bytes_up > 0).await;
    assert_eq!(row.ended, None, "what the older gateway carried is told, an end is not");

    let by = Actor::system("test");
    first.store().end_session(carried.session, Ended::EndedByAdmin, &by, now()).await.unwrap();
    assert_eq!(reset_code(&mut moved.lane).await, Ended::EndedByAdmin.code());
    second.until(|| new.end_of(2) == Some(Ended::EndedByAdmin.code())).await;
    let row = siblings.recorded(carried.session, |row| row.ended.is_some()).await;
    assert_eq!(row.ended.map(|(ended, _)| ended), Some(Ended::EndedByAdmin));
    assert_eq!(row.bytes_up, 9, "both gateways told what they carried");
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_every_gateway_that_knows_of_a_waiting_session_can_end_it() {
    let Some(siblings) = Siblings::start().await else { return };
    let (first, second) = (&siblings.first, &siblings.second);
    let (one, two) = siblings.holders().await;
    let mut client = siblings.client();
    let (link, _incoming) = first.dial_client(&siblings.account.token).await.unwrap();
    let Carried { session, lane } = client.open(&link, "db-1").await.unwrap();
    link.close(1000, "lost");
    drop(lane);
    first.until(|| first.node.held().waiting() == 1).await;
    two.tell(vec![one.entry(State::Detached)]);
    second.until(|| second.node.live().len() == 1).await;
    let by = Actor::system("test");
    first.store().end_session(session, Ended::EndedByAdmin, &by, now()).await.unwrap();
    let ordered = [(session, Ended::EndedByAdmin.code())];
    second.until(|| one.kills() == ordered && two.kills() == ordered).await;
    let row = siblings.recorded(session, |row| row.ended.is_some()).await;
    assert_eq!(row.ended.map(|(ended, _)| ended), Some(Ended::EndedByAdmin));
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_a_gateway_without_the_connector_sends_clients_to_the_next() {
    let Some(siblings) = Siblings::start().await else { return };
    let holder = Holder::start(&siblings.first, &siblings.connector, 0, Vec::new()).await;
    let mut client = siblings.client();
    let (link, _incoming) = siblings.first.dial_client(&siblings.account.token).await.unwrap();
    let _carried = client.open(&link, "db-1").await.unwrap();
    let (elsewhere, _their_incoming) = siblings.second.dial_client(&siblings.account.token).await.unwrap();
    assert_eq!(client.resume(&elsewhere).await.map(|_| ()), Err(Refusal::TryNext.code()));
    let mut other = siblings.client();
    assert_eq!(other.open(&elsewhere, "db-1").await.map(|_| ()), Err(Refusal::TryNext.code()));
    client.resume(&link).await.unwrap();
    assert_eq!(holder.arrived().len(), 2);
    siblings.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t07_what_could_not_be_decided_without_the_store_is_decided_when_it_is_back() {
    let Some(siblings) = Siblings::start().await else { return };
    let first = &siblings.first;
    let mut change = first.change().await;
    let settings = Settings { max_staleness_s: 4, session_max_s: None };
    change.put_settings(&settings, Expect::Any).await.unwrap();
    first.commit(change).await;
    let (holder, _) = siblings.holders().await;
    let mut client = siblings.client();
    let (link, _incoming) = first.dial_client(&siblings.account.token).await.unwrap();
    let Carried { session, lane } = client.open(&link, "db-1").await.unwrap();
    link.close(1000, "lost");
    drop(lane);
    first.until(|| first.node.held().waiting() == 1).await;
    let (link, _incoming) = first.dial_client(&siblings.account.token).await.unwrap();

    let (server, name) = &siblings.database;
    psql(server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    psql(server, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    first.until(|| first.node.policies().current().1.0.as_secs() >= 5).await;
    assert_eq!(client.resume(&link).await.map(|_| ()), Err(Refusal::PolicyStale.code()));
    assert!(first.node.held().knows(session) && holder.kills().is_empty());
    psql(server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    first.until(|| first.node.policies().current().1.0.as_secs() <= 2).await;
    assert_eq!(client.resume(&link).await.unwrap().session, session);
    siblings.stop().await;
}
