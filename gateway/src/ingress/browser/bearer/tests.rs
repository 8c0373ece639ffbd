#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{super::test_store, *};
use crate::policies::{Principals, wall_clock};
use base64::engine::general_purpose::STANDARD;
use http::Method;
use postern_ids::{Name, ResourceId, ServiceAccountId, SiteId, TokenId, UserId};
use postern_policy::{
    Revoked, Snapshot, SnapshotSource,
    model::{ResourceKind, Site, Target, Web},
};
use postern_store::{Actor, Expect, SecretHash, ServiceAccount, ServiceToken, Store, User};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(24 * 3600);

struct World {
    tokens: Tokens,
    store: Store,
    app: Resource,
    ada: UserId,
    _dir: tempfile::TempDir,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn resource(n: u8, web: Web) -> Resource {
    Resource {
        id: ResourceId::mint(Timestamp::EPOCH, [n; 10]),
        name: name(&format!("app-{n}")),
        site: SiteId::mint(Timestamp::EPOCH, [1; 10]),
        kind: ResourceKind::Http,
        target: "10.0.0.5:3000".parse::<Target>().unwrap(),
        labels: Default::default(),
        host_keys: Vec::new(),
        web: Some(Arc::new(web)),
    }
}

fn basic(app: &Resource) -> Resource {
    let web = Web { basic_tokens: true, ..Web::default() };
    Resource { web: Some(Arc::new(web)), ..app.clone() }
}

fn program() -> ServiceAccountId {
    ServiceAccountId::mint(Timestamp::EPOCH, [7; 10])
}

fn headers(values: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn get(path: &str) -> CanonicalRequest {
    let host = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.example"))]);
    CanonicalRequest::read(&Method::GET, &path.parse().unwrap(), &host).unwrap()
}

fn policies(store: &Store, revoked: Revoked) -> Arc<Policies> {
    let source = SnapshotSource { revision: 1, revoked: Arc::new(revoked), ..SnapshotSource::default() };
    let confirmed = watch::Sender::new(None).subscribe();
    let snapshot = Snapshot::build(source).unwrap();
    Policies::new(snapshot, Instant::now(), confirmed, Principals::new(store.clone()))
}

impl World {
    async fn new() -> Self {
        let (store, dir) = test_store::open().await;
        let (app, ada) = (resource(1, Web::default()), UserId::mint(Timestamp::EPOCH, [1; 10]));
        let mut change = store.change(Actor::system("test"), wall_clock()).await.unwrap();
        change.put(&Site { id: app.site, name: name("office") }, Expect::New).await.unwrap();
        change.put(&app, Expect::New).await.unwrap();
        change.put(&User::local(ada, name("ada")), Expect::New).await.unwrap();
        change.commit().await.unwrap();
        Self { tokens: Tokens::new(store.clone()), store, app, ada, _dir: dir }
    }

    async fn app_token(&self, path: &str, lasts: Duration) -> (String, TokenId) {
        let (now, secret) = (wall_clock(), Opaque::from_entropy(OpaqueKind::Application, rand::random()));
        let token = AppToken {
            id: TokenId::mint(now, rand::random()),
            user: self.ada,
            resource: self.app.id,
            path: path.to_owned(),
            note: String::new(),
            created_at: now,
            expires_at: now.plus(lasts),
            revoked_at: None,
        };
        let mut change = self.store.change(Actor::system("test"), now).await.unwrap();
        change.put_app_token(&token, SecretHash(secret.hash())).await.unwrap();
        change.commit().await.unwrap();
        (secret.reveal().to_owned(), token.id)
    }

    async fn service_token(&self) -> String {
        let (now, secret) = (wall_clock(), Opaque::from_entropy(OpaqueKind::ServiceAccount, rand::random()));
        let account = program();
        let token = ServiceToken {
            id: TokenId::mint(now, rand::random()),
            account,
            note: String::new(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
        };
        let object = ServiceAccount { id: account, name: name("ci"), note: String::new(), disabled: false };
        let mut change = self.store.change(Actor::system("test"), now).await.unwrap();
        change.put(&object, Expect::New).await.unwrap();
        change.put_service_token(&token, SecretHash(secret.hash())).await.unwrap();
        change.commit().await.unwrap();
        secret.reveal().to_owned()
    }

    async fn ask(
        &self,
        values: &[String],
        app: &Resource,
        path: &str,
    ) -> Result<Option<(PrincipalId, Credential)>, Refused> {
        self.ask_under(Revoked::default(), values, app, path).await
    }

    async fn ask_under(
        &self,
        revoked: Revoked,
        values: &[String],
        app: &Resource,
        path: &str,
    ) -> Result<Option<(PrincipalId, Credential)>, Refused> {
        let policies = policies(&self.store, revoked);
        credential((&self.tokens, &policies), &headers(values), app, &get(path), wall_clock()).await
    }
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("Bearer {token}")]
}

fn password(user: &str, token: &str) -> Vec<String> {
    vec![format!("Basic {}", STANDARD.encode(format!("{user}:{token}")))]
}

#[tokio::test]
async fn a_token_of_ours_is_its_owners_word_as_bearer_and_where_allowed_as_password() {
    let world = World::new().await;
    let (token, id) = world.app_token("", DAY).await;
    let (takes_basic, ada) = (basic(&world.app), PrincipalId::User(world.ada));
    for (values, app) in [
        (bearer(&token), &world.app),
        (vec![format!("bearer   {token}")], &world.app),
        (password("anybody", &token), &takes_basic),
        (password("", &token), &takes_basic),
    ] {
        let (principal, credential) = world.ask(&values, app, "/a").await.unwrap().unwrap();
        assert_eq!(principal, ada);
        assert!(matches!(credential, Credential::Token(facts) if facts.id == id));
    }
    let service = world.service_token().await;
    let (principal, _) = world.ask(&bearer(&service), &world.app, "/").await.unwrap().unwrap();
    assert!(matches!(principal, PrincipalId::ServiceAccount(_)));
}

#[tokio::test]
async fn any_other_authorization_is_the_applications() {
    let world = World::new().await;
    let takes_basic = basic(&world.app);
    for value in [
        "Bearer eyJhbGciOiJFUzI1NiJ9.e30.x",
        "Bearer psr_looks_like_ours",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Basic %%%",
        "Digest username=\"pst_\"",
        "Negotiate abc",
        "pst_without_a_scheme",
        "token pst_x",
    ] {
        for app in [&world.app, &takes_basic] {
            assert_eq!(world.ask(&[value.to_owned()], app, "/").await, Ok(None), "{value}");
        }
    }
    assert_eq!(world.ask(&["Basic YTpi".into(), "Bearer x".into()], &takes_basic, "/").await, Ok(None));
    assert_eq!(world.ask(&[], &world.app, "/").await, Ok(None));
    // Not whole: where passwords are the application's, so is this one.
    assert_eq!(world.ask(&password("u", "pst_mine"), &world.app, "/").await, Ok(None));
}

#[tokio::test]
async fn two_credentials_of_which_one_is_ours_are_refused() {
    let world = World::new().await;
    let (token, _) = world.app_token("", DAY).await;
    let ours = format!("Bearer {token}");
    for values in [
        vec![ours.clone(), ours.clone()],
        vec![ours.clone(), "Bearer theirs".to_owned()],
        vec!["Basic YTpi".to_owned(), ours.clone()],
        vec!["Bearer a".to_owned(), "Bearer b".to_owned(), ours],
    ] {
        assert_eq!(world.ask(&values, &world.app, "/").await, Err(Refused::Ambiguous), "{values:?}");
    }
}

#[tokio::test]
async fn j14_a_token_that_is_not_whole_not_known_or_over_is_refused() {
    let world = World::new().await;
    let (token, _) = world.app_token("", DAY).await;
    let (over, _) = world.app_token("", Duration::ZERO).await;
    let unknown = Opaque::from_entropy(OpaqueKind::Application, rand::random());
    assert!(world.ask(&bearer(&token), &world.app, "/").await.unwrap().is_some(), "it is kept from here on");
    let refused = [
        &token.replacen(OpaqueKind::Application.prefix(), OpaqueKind::ServiceAccount.prefix(), 1),
        &token[..token.len() - 1],
        &format!("{token}A"),
        &format!("{token} x"),
        &token.to_uppercase().replacen("PST_APP_", "pst_app_", 1),
        unknown.reveal(),
        &over,
        "pst_",
    ]
    .map(bearer);
    for values in refused {
        assert_eq!(world.ask(&values, &world.app, "/").await, Err(Refused::NotGood), "{values:?}");
    }
}

#[tokio::test]
async fn d09_a_token_in_a_form_that_the_application_does_not_take_never_reaches_it() {
    let world = World::new().await;
    let (token, _) = world.app_token("", DAY).await;
    let takes_basic = basic(&world.app);
    for (values, app) in [
        (password("me", &token), &world.app),
        (password(&token, ""), &world.app),
        (password(&token, "x-oauth-basic"), &takes_basic),
    ] {
        assert_eq!(world.ask(&values, app, "/").await, Err(Refused::NotGood), "{values:?}");
    }
}

#[tokio::test]
async fn a07_a_revoked_token_and_one_of_a_disabled_owner_are_dead_with_the_snapshot_that_says_so() {
    let world = World::new().await;
    let (token, id) = world.app_token("", DAY).await;
    assert!(world.ask(&bearer(&token), &world.app, "/").await.unwrap().is_some(), "it is kept from here on");
    let revoked = Revoked { revoked_tokens: [id].into(), ..Revoked::default() };
    let disabled = Revoked { disabled_users: [world.ada].into(), ..Revoked::default() };
    for revoked in [revoked, disabled] {
        let asked = world.ask_under(revoked, &bearer(&token), &world.app, "/").await;
        assert_eq!(asked, Err(Refused::NotGood));
    }
    let service = world.service_token().await;
    assert!(world.ask(&bearer(&service), &world.app, "/").await.unwrap().is_some());
    let disabled = Revoked { disabled_service_accounts: [program()].into(), ..Revoked::default() };
    assert_eq!(world.ask_under(disabled, &bearer(&service), &world.app, "/").await, Err(Refused::NotGood));
}

#[tokio::test]
async fn a_token_is_for_one_application_and_its_part() {
    let world = World::new().await;
    let (all, _) = world.app_token("", DAY).await;
    let (part, _) = world.app_token("/api/v1", DAY).await;
    let other = resource(2, Web::default());
    assert_eq!(world.ask(&bearer(&all), &other, "/").await, Err(Refused::OutOfReach));
    assert_eq!(world.ask(&bearer(&part), &other, "/api/v1").await, Err(Refused::OutOfReach));
    for path in ["/api/v1", "/api/v1/", "/api/v1/x?y=../..", "/%61pi/v1/x"] {
        assert!(world.ask(&bearer(&part), &world.app, path).await.unwrap().is_some(), "{path}");
    }
    for path in [
        "/",
        "/api",
        "/api/v12",
        "/API/v1",
        "/api/v1/../admin",
        "/api/v1/%2e%2e/admin",
        "/api/v1//x",
        "/api/v1/x%2f..%2f..%2fadmin",
        "/api/v1;x/y",
    ] {
        assert_eq!(world.ask(&bearer(&part), &world.app, path).await, Err(Refused::OutOfReach), "{path}");
    }
    let verbatim = Web { paths: PathReading::Verbatim, ..Web::default() };
    let verbatim = Resource { web: Some(Arc::new(verbatim)), ..world.app.clone() };
    assert_eq!(world.ask(&bearer(&part), &verbatim, "/api/v1").await, Err(Refused::OutOfReach));
}

#[tokio::test]
async fn an_ended_token_says_nothing_about_where_it_was_good() {
    let world = World::new().await;
    let (over, _) = world.app_token("/api", Duration::ZERO).await;
    let other = resource(2, Web::default());
    assert_eq!(world.ask(&bearer(&over), &other, "/").await, Err(Refused::NotGood));
}
