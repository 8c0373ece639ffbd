//! A person who is signed in, with access tokens of any age.

use super::{Scene, name, now};
use postern_ids::{ResourceId, SignInId, Timestamp, UserId};
use postern_policy::model::{Grant, Subject};
use postern_store::{Expect, SignIn, Store, User};
use postern_token::{ACCESS_AUDIENCE, AccessClaims, mint_access};
use postern_web::KeyRing;
use std::{sync::Arc, time::Duration};

/// A signed-in person, and the keys that the gateway signs with.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) sign_in: SignInId,
    issuer: String,
    keys: Arc<KeyRing>,
}

impl Person {
    /// Signs in somebody who may connect to this resource.
    pub(crate) async fn new(scene: &Scene, called: &str, resource: ResourceId) -> Self {
        let id = UserId::mint(now(), rand::random());
        let mut change = scene.change().await;
        change.put(&User::local(id, name(called)), Expect::New).await.unwrap();
        scene.commit(change).await;
        let robot = scene.account(&format!("{called}-bot")).await;
        let grant = scene.grant(&robot, resource).await;
        let mut change = scene.change().await;
        let stored = change.find::<Grant>(&grant).await.unwrap().unwrap();
        let grant = Grant { subjects: vec![Subject::User(id)], ..stored.value };
        change.put(&grant, Expect::At(stored.version)).await.unwrap();
        scene.commit(change).await;
        let issuer = scene.node.public_url.as_str().trim_end_matches('/').to_owned();
        let keys = Arc::new(keys_of(scene.store(), &issuer).await);
        Self { id, sign_in: sign_in(scene, id).await, issuer, keys }
    }

    /// The same person, signed in once more.
    pub(crate) async fn again(&self, scene: &Scene) -> Self {
        let sign_in = sign_in(scene, self.id).await;
        Self { sign_in, issuer: self.issuer.clone(), keys: Arc::clone(&self.keys), ..*self }
    }

    /// Somebody who is signed in and may do nothing.
    pub(crate) async fn stranger(scene: &Scene) -> (UserId, SignInId) {
        let id = UserId::mint(now(), rand::random());
        let mut change = scene.change().await;
        change.put(&User::local(id, name("stranger")), Expect::New).await.unwrap();
        scene.commit(change).await;
        (id, sign_in(scene, id).await)
    }

    /// An access token that ended so long ago.
    pub(crate) fn token(&self, ended_ago: Duration) -> String {
        self.token_until(Timestamp::from_micros(
            now().as_micros() - i64::try_from(ended_ago.as_micros()).unwrap(),
        ))
    }

    /// An access token that is good.
    pub(crate) fn fresh_token(&self) -> String {
        self.token_until(now().plus(Duration::from_secs(600)))
    }

    fn token_until(&self, exp: Timestamp) -> String {
        let iat = Timestamp::from_micros(exp.as_micros() - 900_000_000);
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            aud: ACCESS_AUDIENCE.to_owned(),
            sub: self.id,
            sid: self.sign_in,
            client_id: "postern-cli".to_owned(),
            auth_time: iat,
            iat,
            nbf: iat,
            exp,
            jti: exp.as_micros().to_string(),
        };
        mint_access(&claims, self.keys.keys().access_signer(now()).unwrap()).unwrap()
    }
}

/// The keys of a store, as a gateway has them.
pub(crate) async fn keys_of(store: &Store, issuer: &str) -> KeyRing {
    KeyRing::open(store, issuer, now()).await.unwrap()
}

async fn sign_in(scene: &Scene, user: UserId) -> SignInId {
    let id = SignInId::mint(now(), rand::random());
    let sign_in = SignIn {
        id,
        user,
        client_id: "postern-cli".to_owned(),
        idp: "local".to_owned(),
        authenticated_at: now(),
        mfa_at: None,
        acr: None,
        amr: Vec::new(),
        expires_at: now().plus(Duration::from_secs(3_600)),
        ended_at: None,
        end_reason: None,
    };
    scene.store().begin_sign_in(&sign_in, now()).await.unwrap();
    id
}
