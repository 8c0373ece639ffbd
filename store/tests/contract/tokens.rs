//! Tokens of programs: found by their hash, and dead with whoever or whatever they stand for.

use crate::fixture::{Fixture, NOW, contract, later, name};
use postern_ids::{ResourceId, ServiceAccountId, TokenId};
use postern_policy::model::Resource;
use postern_store::{AppToken, ChangeError, Expect, Kind, SecretHash, ServiceAccount, ServiceToken, User};

/// A token of a new person for a new application. Ada's has a hash that is known.
async fn app_token(f: &Fixture, owner: &str) -> (AppToken, ResourceId) {
    let site = f.put_site(&format!("{owner}-site")).await;
    let resource = f.put_resource(site.id, &format!("{owner}-app")).await.id;
    let token = AppToken {
        id: TokenId::mint(NOW, rand::random()),
        user: f.put_user(owner).await.id,
        resource,
        path: "/api".into(),
        note: "git".into(),
        created_at: NOW,
        expires_at: later(100),
        revoked_at: None,
    };
    let hash = if owner == "ada" { [8; 32] } else { rand::random() };
    let mut change = f.change().await;
    change.put_app_token(&token, SecretHash(hash)).await.unwrap();
    change.commit().await.unwrap();
    (token, resource)
}

contract! {
    async fn a_service_token_is_found_by_its_hash_and_revoked_for_every_gateway(f) {
        let account = ServiceAccount { id: ServiceAccountId::mint(NOW, [1; 10]), name: name("ci"), note: String::new(), disabled: false };
        let token = ServiceToken {
            id: TokenId::mint(NOW, [2; 10]),
            account: account.id,
            note: "builds".into(),
            created_at: NOW,
            expires_at: Some(later(100)),
            revoked_at: None,
        };
        let mut change = f.change().await;
        assert!(matches!(change.put_service_token(&token, SecretHash([8; 32])).await, Err(ChangeError::Missing { .. })));
        drop(change);
        let mut change = f.change().await;
        change.put(&account, Expect::New).await.unwrap();
        change.put_service_token(&token, SecretHash([8; 32])).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(f.store.service_token(SecretHash([8; 32])).await.unwrap(), Some(token.clone()));
        assert_eq!(f.store.service_token(SecretHash([9; 32])).await.unwrap(), None);
        assert_eq!(f.store.service_tokens(Some(account.id)).await.unwrap(), std::slice::from_ref(&token));
        assert!(token.is_live(NOW) && !token.is_live(later(100)));
        let mut change = f.change().await;
        change.revoke_service_token(token.id).await.unwrap();
        change.commit().await.unwrap();
        assert!(!f.store.service_token(SecretHash([8; 32])).await.unwrap().unwrap().is_live(NOW));
        assert!(f.store.snapshot_source(NOW).await.unwrap().revoked.revoked_tokens.contains(&token.id));
    }

    async fn a_token_for_an_application_is_found_by_its_hash_and_revoked_by_its_owner_alone(f) {
        let (token, _) = app_token(f, "ada").await;
        assert_eq!(f.store.app_token(SecretHash([8; 32])).await.unwrap(), Some(token.clone()));
        assert_eq!(f.store.app_token(SecretHash([9; 32])).await.unwrap(), None);
        assert_eq!(f.store.app_tokens_of(token.user, NOW).await.unwrap(), std::slice::from_ref(&token));
        assert_eq!(f.store.app_tokens_of(token.user, later(100)).await.unwrap(), [], "it is over");
        let bob = f.put_user("bob").await;
        assert_eq!(f.store.app_tokens_of(bob.id, NOW).await.unwrap(), []);
        let mut change = f.change().await;
        assert!(matches!(change.revoke_app_token(token.id, bob.id).await, Err(ChangeError::Missing { .. })));
        drop(change);
        let mut change = f.change().await;
        change.revoke_app_token(token.id, token.user).await.unwrap();
        change.revoke_app_token(token.id, token.user).await.unwrap();
        change.commit().await.unwrap();
        assert!(!f.store.app_token(SecretHash([8; 32])).await.unwrap().unwrap().is_live(NOW));
        assert!(f.store.snapshot_source(NOW).await.unwrap().revoked.revoked_tokens.contains(&token.id));
    }

    async fn a07_a_token_for_an_application_dies_with_its_owner_or_the_application(f) {
        let (disabled, _) = app_token(f, "ada").await;
        let mut change = f.change().await;
        change.disable_user(disabled.user).await.unwrap();
        change.enable_user(disabled.user).await.unwrap();
        change.commit().await.unwrap();
        let revoked = f.store.snapshot_source(NOW).await.unwrap().revoked;
        assert!(revoked.revoked_tokens.contains(&disabled.id), "letting somebody in again brings no token back");

        let (deleted, _) = app_token(f, "bob").await;
        let mut change = f.change().await;
        change.delete::<User>(&deleted.user, Expect::Any).await.unwrap();
        change.commit().await.unwrap();
        let (orphaned, resource) = app_token(f, "eve").await;
        let mut change = f.change().await;
        change.delete::<Resource>(&resource, Expect::Any).await.unwrap();
        change.commit().await.unwrap();
        let revoked = f.store.snapshot_source(NOW).await.unwrap().revoked;
        assert!(revoked.revoked_tokens.contains(&deleted.id) && revoked.revoked_tokens.contains(&orphaned.id));
    }

    async fn nobody_gets_a_token_for_nothing_while_disabled_or_without_end(f) {
        let (token, _) = app_token(f, "ada").await;
        let again = |n: u8| AppToken { id: TokenId::mint(NOW, [n; 10]), ..token.clone() };
        let refused = async |token: AppToken| {
            let mut change = f.change().await;
            change.put_app_token(&token, SecretHash([7; 32])).await.unwrap_err()
        };
        let nowhere = AppToken { resource: ResourceId::mint(NOW, [99; 10]), ..again(2) };
        assert!(matches!(refused(nowhere).await, ChangeError::Missing { kind: Kind::Resource, .. }));
        let mut change = f.change().await;
        for n in 2..=100 {
            change.put_app_token(&again(n), SecretHash([100 + n; 32])).await.unwrap();
        }
        change.commit().await.unwrap();
        assert!(matches!(refused(again(101)).await, ChangeError::TooMany { .. }));
        let mut change = f.change().await;
        change.disable_user(token.user).await.unwrap();
        change.commit().await.unwrap();
        assert!(matches!(refused(again(101)).await, ChangeError::Missing { kind: Kind::User, .. }));
    }

    async fn removing_a_service_account_revokes_its_tokens(f) {
        let account = ServiceAccount { id: ServiceAccountId::mint(NOW, [1; 10]), name: name("ci"), note: String::new(), disabled: false };
        let token = ServiceToken { id: TokenId::mint(NOW, [2; 10]), account: account.id, note: String::new(), created_at: NOW, expires_at: None, revoked_at: None };
        let mut change = f.change().await;
        change.put(&account, Expect::New).await.unwrap();
        change.put_service_token(&token, SecretHash([8; 32])).await.unwrap();
        change.delete::<ServiceAccount>(&account.id, Expect::Any).await.unwrap();
        change.commit().await.unwrap();
        assert!(f.store.snapshot_source(NOW).await.unwrap().revoked.revoked_tokens.contains(&token.id));
    }
}
