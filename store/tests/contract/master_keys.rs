//! The master key is changed while gateways serve: at every moment everything opens, and in the end under the new key alone.

use crate::{
    credentials::sign_in,
    fixture::{Fixture, NOW, contract, later, name, sized, write_master_key},
};
use postern_ids::{NodeId, SignInId};
use postern_store::{
    Actor, AuditVerdict, Expect, KeyKind, OpenError, Provider, ProviderWord, RefreshOutcome, RefreshToken,
    SealKeeper, SealNews, SecretHash, SignIn, SigningKey, Store, StoreConfig,
};
use secrecy::{ExposeSecret, SecretString};
use std::{path::PathBuf, time::Duration};

/// The spent refresh token whose successor is sealed.
const SPENT: SecretHash = SecretHash([1; 32]);

fn node(n: u8) -> NodeId {
    NodeId::mint(NOW, [n; 10])
}

/// The keeper of a gateway that is content at once.
fn keeper(store: &Store, n: u8) -> SealKeeper {
    store.seal_keeper(node(n), Duration::ZERO)
}

/// The key of this letter; A is the one that the store has from the start.
fn key_file(f: &Fixture, letter: char) -> PathBuf {
    if letter == 'A' {
        return f.config.master_key_file.clone();
    }
    let path = f.dir.path().join(format!("{letter}.key"));
    write_master_key(&path, letter);
    path
}

/// As a gateway is told by its configuration: this key, and those before it.
async fn give(f: &Fixture, store: &Store, own: char, previous: &[char]) -> Result<(), OpenError> {
    let previous: Vec<_> = previous.iter().map(|letter| key_file(f, *letter)).collect();
    store.take_master_keys(store.prove_master_keys(&key_file(f, own), &previous).await?);
    Ok(())
}

/// Opens the store as a gateway does that starts with these keys.
async fn start(f: &Fixture, own: char, previous: &[char]) -> Result<Store, OpenError> {
    if f.is_sqlite() {
        f.store.close().await;
    }
    let previous_master_key_files = previous.iter().map(|letter| key_file(f, *letter)).collect();
    let config =
        StoreConfig { master_key_file: key_file(f, own), previous_master_key_files, ..f.config.clone() };
    Store::open(config, NOW).await
}

fn provider() -> Provider {
    Provider {
        name: name("sso"),
        display_name: "SSO".into(),
        issuer: "https://idp.example".into(),
        client_id: "postern".into(),
        scopes: Vec::new(),
        groups_claim: None,
        groups_from_user_info: false,
        groups: Default::default(),
        adopts: false,
        allow_private_address: false,
        ca_pem: None,
        strict_pkce: false,
    }
}

/// One value in every column that holds sealed ones. Gives the sign-in.
async fn fill(f: &Fixture, store: &Store) -> SignInId {
    let signing = SigningKey {
        kid: "k1".into(),
        kind: KeyKind::Access,
        secret: b"private part".to_vec().into(),
        public: "{}".into(),
        created_at: NOW,
        signs_from: NOW,
        retires_at: later(1000),
    };
    store.rotate_signing_key(Actor::system("test"), &signing, NOW, NOW).await.unwrap();
    let mut change = store.change(Actor::system("test"), NOW).await.unwrap();
    change.put(&provider(), Expect::New).await.unwrap();
    change.set_provider_secret(&provider().name, Some(&"client secret".into())).await.unwrap();
    change.commit().await.unwrap();
    let sign_in = SignIn { idp: "sso".into(), ..sign_in(f.put_user("ada").await.id) };
    store.begin_sign_in(&sign_in, NOW).await.unwrap();
    let (refresh, id) = (SecretString::from("provider refresh"), SecretString::from("provider id"));
    let word = ProviderWord { session: Some("s"), refresh_token: Some(&refresh), id_token: Some(&id) };
    store.keep_provider_word(sign_in.id, &word, NOW).await.unwrap();
    store.issue_refresh_token(sign_in.id, &refresh_token("first", SPENT), NOW).await.unwrap();
    let second = refresh_token("second", SecretHash([2; 32]));
    store.rotate_refresh_token(SPENT, &second, NOW).await.unwrap();
    sign_in.id
}

fn refresh_token(text: &str, hash: SecretHash) -> RefreshToken {
    RefreshToken { text: text.into(), hash, expires_at: later(3600) }
}

/// Every sealed value opens, by the ways in which gateways read them.
async fn all_open(store: &Store, sign_in: SignInId) {
    let keys = store.signing_keys(KeyKind::Access, NOW).await.unwrap();
    assert_eq!(keys[0].secret.as_slice(), b"private part");
    let secret = store.provider_secret(&provider().name).await.unwrap().unwrap();
    assert_eq!(secret.expose_secret(), "client secret");
    let token = store.provider_id_token(sign_in).await.unwrap().unwrap();
    assert_eq!(token.expose_secret(), "provider id");
    let due =
        postern_store::Due { provider: &provider().name, asked_before: later(9000), used_after: NOW, max: 9 };
    let due = store.take_due_refreshes(&due, later(1)).await.unwrap();
    assert_eq!(due[0].refresh_token.expose_secret(), "provider refresh");
}

async fn successor(store: &Store) -> String {
    let offered = refresh_token("third", SecretHash([3; 32]));
    let outcome = store.rotate_refresh_token(SPENT, &offered, later(2)).await.unwrap();
    let RefreshOutcome::Repeated { successor, .. } = outcome else { return format!("{outcome:?}") };
    successor.expose_secret().to_owned()
}

contract! {
    async fn l03_a_changed_master_key_seals_everything_anew_and_then_the_one_before_opens_nothing(f) {
        let sign_in = fill(f, &f.store).await;
        let envelope = f.store.seal_for("cookie", "wiki.example", b"ada");
        // A start with the new key only, and with a key that is not the store's, is refused.
        for (own, previous) in [('B', &[][..]), ('B', &['C'])] {
            let refused = give(f, &f.store, own, previous).await.unwrap_err().to_string();
            assert!(refused.contains("is not the one of this store") && refused.contains("previous_master_key_files"), "{refused}");
        }
        give(f, &f.store, 'B', &['A']).await.unwrap();
        all_open(&f.store, sign_in).await;
        let changed = keeper(&f.store, 1).look(NOW).await.unwrap();
        assert!(matches!(changed, SealNews::Changed { .. }), "{changed:?}");
        all_open(&f.store, sign_in).await;
        assert_eq!(successor(&f.store).await, "second");

        // As after a kill between the change and the sealing: values are under either key, and both are asked for.
        let refused = start(f, 'B', &[]).await.err().unwrap().to_string();
        assert!(refused.contains("still holds values") && refused.contains("previous_master_key_files"), "{refused}");
        let refused = start(f, 'A', &[]).await.err().unwrap().to_string();
        assert!(refused.contains("is not the one of this store"), "{refused}");
        let store = start(f, 'B', &['A']).await.unwrap();
        all_open(&store, sign_in).await;
        let mut keeper = keeper(&store, 1);
        // A signing key, a client secret, a provider's refresh token and its ID token.
        assert_eq!(keeper.look(NOW).await.unwrap(), SealNews::Resealed { values: 4 });
        all_open(&store, sign_in).await;
        assert_eq!(store.open_for("cookie", "wiki.example", &envelope).unwrap().as_slice(), b"ada");
        // The successor of a refresh token is handed out for half a minute, and removed by the cleaning.
        assert_eq!(successor(&store).await, "second");
        assert_eq!(keeper.look(NOW).await.unwrap(), SealNews::Settling);
        store.clean(later(61)).await.unwrap();
        let retired = keeper.look(NOW).await.unwrap();
        assert!(matches!(retired, SealNews::Retired { .. }), "{retired:?}");
        assert_eq!(keeper.look(NOW).await.unwrap(), SealNews::Settled);
        let written = store.audit_after("store", 0, 100).await.unwrap();
        let told: Vec<_> = written.iter().map(|entry| &*entry.kind).filter(|kind| kind.starts_with("master_key")).collect();
        assert_eq!(told, ["master_key.changed", "master_key.retired"]);
        assert!(matches!(store.verify_audit("store").await.unwrap(), AuditVerdict::Whole { .. }));
        store.close().await;

        assert!(start(f, 'A', &[]).await.is_err());
        let store = start(f, 'B', &[]).await.unwrap();
        all_open(&store, sign_in).await;
        assert!(store.open_for("cookie", "wiki.example", &envelope).is_none());
        store.close().await;
    }

    async fn l03_a_change_of_the_master_key_that_is_taken_back_loses_nothing(f) {
        let sign_in = fill(f, &f.store).await;
        for (own, previous) in [('B', 'A'), ('A', 'B')] {
            give(f, &f.store, own, &[previous]).await.unwrap();
            assert!(matches!(keeper(&f.store, 1).look(NOW).await.unwrap(), SealNews::Changed { .. }));
            all_open(&f.store, sign_in).await;
        }
        f.store.clean(later(61)).await.unwrap();
        let mut keeper = keeper(&f.store, 1);
        // What was never sealed under the other key is under this one.
        assert!(matches!(keeper.look(NOW).await.unwrap(), SealNews::Retired { .. }));
        give(f, &f.store, 'A', &[]).await.unwrap();
        all_open(&f.store, sign_in).await;
    }

    async fn l03_what_is_written_while_values_are_sealed_anew_is_not_lost(f) {
        fill(f, &f.store).await;
        // Those before it by name are sealed anew between the moment at which it is read and the moment at which it is written.
        let mut change = f.change().await;
        for n in 0..40 {
            let other = Provider { name: name(&format!("a{n}")), issuer: format!("https://{n}.example"), ..provider() };
            change.put(&other, Expect::New).await.unwrap();
            change.set_provider_secret(&other.name, Some(&"another".into())).await.unwrap();
        }
        change.commit().await.unwrap();
        for n in 0..sized(10, 200) {
            let own = if n % 2 == 0 { 'B' } else { 'A' };
            give(f, &f.store, own, &['A', 'B']).await.unwrap();
            let mut keeper = keeper(&f.store, 1);
            assert!(matches!(keeper.look(NOW).await.unwrap(), SealNews::Changed { .. }));
            let sealing = tokio::spawn(async move { keeper.look(NOW).await.unwrap() });
            let mut change = f.change().await;
            change.set_provider_secret(&provider().name, Some(&format!("secret {n}").into())).await.unwrap();
            change.commit().await.unwrap();
            assert!(matches!(sealing.await.unwrap(), SealNews::Resealed { .. }));
            let kept = f.store.provider_secret(&provider().name).await.unwrap().unwrap();
            assert_eq!(kept.expose_secret(), format!("secret {n}"));
        }
    }

    async fn l03_a_value_that_does_not_open_holds_up_no_other(f) {
        let sign_in = fill(f, &f.store).await;
        f.tamper("UPDATE sign_ins SET provider_id_token_sealed = provider_refresh_sealed").await;
        give(f, &f.store, 'B', &['A']).await.unwrap();
        let mut keeper = keeper(&f.store, 1);
        assert!(matches!(keeper.look(NOW).await.unwrap(), SealNews::Changed { .. }));
        assert_eq!(keeper.look(NOW).await.unwrap(), SealNews::Resealed { values: 3 });
        f.store.clean(later(61)).await.unwrap();
        assert!(matches!(keeper.look(NOW).await.unwrap(), SealNews::Retired { .. }));
        assert!(f.store.provider_id_token(sign_in).await.is_err());
    }
}

#[tokio::test]
async fn l03_the_master_key_is_not_changed_before_every_gateway_has_it() {
    let Some(f) = Fixture::postgres().await else { return };
    let sign_in = fill(&f, &f.store).await;
    let (second, forgotten) = (start(&f, 'A', &[]).await.unwrap(), start(&f, 'A', &[]).await.unwrap());
    let (mut here, mut there) = (keeper(&f.store, 1), keeper(&second, 2));
    assert_eq!(there.look(NOW).await.unwrap(), SealNews::Settled);
    // A gateway of the version before says nothing about keys.
    f.store.beat(node(3)).await.unwrap();

    give(&f, &f.store, 'B', &['A']).await.unwrap();
    assert_eq!(here.look(NOW).await.unwrap(), SealNews::Waiting { nodes: vec![node(2), node(3)] });
    f.store.forget_node(node(3), 1).await.unwrap();
    assert_eq!(here.look(NOW).await.unwrap(), SealNews::Waiting { nodes: vec![node(2)] });
    let sealed = f.store.seal_for("cookie", "h", b"x");
    assert!(second.open_for("cookie", "h", &sealed).is_some(), "sealed as everybody still seals");
    all_open(&second, sign_in).await;

    give(&f, &second, 'B', &['A']).await.unwrap();
    assert!(matches!(there.look(NOW).await.unwrap(), SealNews::Changed { .. }));
    assert!(f.store.open_for("cookie", "h", &second.seal_for("cookie", "h", b"x")).is_some());
    assert_eq!(here.look(NOW).await.unwrap(), SealNews::Resealed { values: 4 });
    for store in [&f.store, &second] {
        all_open(store, sign_in).await;
    }
    // One that nobody had heard of is told, and a start with the old key is refused.
    assert!(matches!(keeper(&forgotten, 4).look(NOW).await.unwrap(), SealNews::Unknown { .. }));
    assert!(start(&f, 'A', &[]).await.is_err());
    second.close().await;
    forgotten.close().await;
    f.finish().await;
}

#[tokio::test]
async fn l03_gateways_that_were_given_different_keys_change_nothing() {
    let Some(f) = Fixture::postgres().await else { return };
    let second = start(&f, 'A', &[]).await.unwrap();
    give(&f, &f.store, 'B', &['A']).await.unwrap();
    give(&f, &second, 'C', &['A']).await.unwrap();
    let (mut here, mut there) = (keeper(&f.store, 1), keeper(&second, 2));
    // The first that looks is alone as far as it can know; from the second on both are heard.
    f.store.beat(node(2)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(here.look(NOW).await.unwrap(), SealNews::Waiting { nodes: vec![node(2)] });
        assert_eq!(there.look(NOW).await.unwrap(), SealNews::Waiting { nodes: vec![node(1)] });
    }
    second.close().await;
    f.finish().await;
}
