//! The group of owners: built in, and never without an enabled member once it had one.

use crate::fixture::{NOW, contract, name, sized};
use postern_policy::{
    admin::OWNERS,
    model::{Group, PrincipalId},
};
use postern_store::{Actor, ChangeError, Expect, Kind, NewOwner, SecretHash, Store, User};

/// An installation with these owners.
async fn owned(f: &crate::fixture::Fixture, names: &[&str]) -> Vec<User> {
    let hash = SecretHash([1; 32]);
    assert!(f.store.issue_bootstrap_token(hash, crate::fixture::later(900), NOW).await.unwrap());
    let first = User::local(postern_ids::UserId::mint(NOW, rand::random()), name(names[0]));
    let owner = NewOwner { user: first.clone(), password_hash: "$argon2id$x".into() };
    f.store.bootstrap(hash, &owner, NOW).await.unwrap();
    let mut users = vec![first];
    for name in &names[1..] {
        let user = f.put_user(name).await;
        let mut change = f.change().await;
        change.set_groups_of(PrincipalId::User(user.id), &[OWNERS]).await.unwrap();
        change.commit().await.unwrap();
        users.push(user);
    }
    users
}

async fn disable(store: Store, user: User) -> Result<u64, ChangeError> {
    let mut change = store.change(Actor::system("test"), NOW).await?;
    change.disable_user(user.id).await?;
    change.commit().await
}

contract! {
    async fn a04_two_owners_who_disable_each_other_leave_one(f) {
        let users = owned(f, &["ada", "bob"]).await;
        for _ in 0..sized(20, 1_000) {
            let both = tokio::join!(
                tokio::spawn(disable(f.store.clone(), users[0].clone())),
                tokio::spawn(disable(f.store.clone(), users[1].clone())),
            );
            let results = [both.0.unwrap(), both.1.unwrap()];
            assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "{results:?}");
            assert!(results.iter().any(|r| matches!(r, Err(ChangeError::LastOwner))), "{results:?}");
            let mut change = f.change().await;
            for user in &users {
                change.enable_user(user.id).await.unwrap();
            }
            change.commit().await.unwrap();
        }
    }

    async fn a04_while_one_is_made_an_owner_and_the_other_taken_out_there_is_always_one(f) {
        let users = owned(f, &["ada", "bob"]).await;
        for round in 0..sized(20, 1_000) {
            let (staying, leaving) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
            let groups = |user: usize, groups: &'static [postern_ids::GroupId]| {
                let (store, id) = (f.store.clone(), users[user].id);
                tokio::spawn(async move {
                    let mut change = store.change(Actor::system("test"), NOW).await?;
                    change.set_groups_of(PrincipalId::User(id), groups).await?;
                    change.commit().await
                })
            };
            // From a state in which only the one who leaves is an owner.
            groups(leaving, &[OWNERS]).await.unwrap().unwrap();
            groups(staying, &[]).await.unwrap().unwrap();
            let (taken_out, made) = tokio::join!(groups(leaving, &[]), groups(staying, &[OWNERS]));
            made.unwrap().unwrap();
            let taken_out = taken_out.unwrap();
            assert!(matches!(taken_out, Ok(_) | Err(ChangeError::LastOwner)), "{taken_out:?}");
            let owners = f.store.members_of(OWNERS).await.unwrap().len();
            assert_eq!(owners, if taken_out.is_ok() { 1 } else { 2 }, "round {round}");
        }
    }

    async fn a04_the_last_owner_cannot_be_disabled_removed_or_taken_out(f) {
        let users = owned(f, &["ada"]).await;
        let id = users[0].id;
        let mut change = f.change().await;
        change.delete::<User>(&id, Expect::Any).await.unwrap();
        assert!(matches!(change.commit().await, Err(ChangeError::LastOwner)));
        let mut change = f.change().await;
        change.set_members(OWNERS, &[]).await.unwrap();
        assert!(matches!(change.commit().await, Err(ChangeError::LastOwner)));
        assert!(matches!(disable(f.store.clone(), users[0].clone()).await, Err(ChangeError::LastOwner)));
        assert_eq!(f.store.members_of(OWNERS).await.unwrap(), [PrincipalId::User(id)]);
    }

    async fn a04_a_disabled_owner_does_not_count(f) {
        let users = owned(f, &["ada", "bob"]).await;
        disable(f.store.clone(), users[1].clone()).await.unwrap();
        let mut change = f.change().await;
        change.set_members(OWNERS, &[PrincipalId::User(users[1].id)]).await.unwrap();
        assert!(matches!(change.commit().await, Err(ChangeError::LastOwner)));
    }

    async fn the_group_of_owners_is_built_in(f) {
        let owners = f.store.find::<Group>(&OWNERS).await.unwrap().unwrap();
        let mut change = f.change().await;
        assert!(matches!(change.delete::<Group>(&OWNERS, Expect::Any).await, Err(ChangeError::BuiltIn { kind: Kind::Group, .. })));
        drop(change);
        let mut change = f.change().await;
        let renamed = Group { name: name("others"), ..owners.value };
        assert!(matches!(change.put(&renamed, Expect::Any).await, Err(ChangeError::BuiltIn { .. })));
    }

    async fn a04_of_fifty_bootstraps_at_once_exactly_one_makes_an_owner(f) {
        for round in 0..sized(2, 1_000) {
            let hash = SecretHash(rand::random());
            assert!(f.store.issue_bootstrap_token(hash, crate::fixture::later(900), NOW).await.unwrap());
            let mut calls = tokio::task::JoinSet::new();
            for n in 0..50 {
                let store = f.store.clone();
                calls.spawn(async move {
                    let user = User::local(postern_ids::UserId::mint(NOW, rand::random()), name(&format!("r{round}-owner{n}")));
                    store.bootstrap(hash, &NewOwner { user, password_hash: "$argon2id$x".into() }, NOW).await
                });
            }
            let results = calls.join_all().await;
            assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1, "round {round}");
            assert_eq!(f.store.all::<User>().await.unwrap().len(), round as usize + 1);
            assert_eq!(f.store.members_of(OWNERS).await.unwrap().len(), 1);
            // As if nobody had ever come.
            f.tamper("UPDATE meta SET bootstrapped_at = NULL").await;
            f.tamper("DELETE FROM memberships").await;
        }
    }

    async fn a05_a_wrong_expired_or_replaced_bootstrap_token_makes_nobody(f) {
        let user = User::local(postern_ids::UserId::mint(NOW, rand::random()), name("ada"));
        let owner = NewOwner { user, password_hash: "$argon2id$x".into() };
        let (old, fresh) = (SecretHash([1; 32]), SecretHash([2; 32]));
        f.store.issue_bootstrap_token(old, crate::fixture::later(900), NOW).await.unwrap();
        f.store.issue_bootstrap_token(fresh, crate::fixture::later(900), NOW).await.unwrap();
        for (hash, at) in [(old, NOW), (SecretHash([3; 32]), NOW), (fresh, crate::fixture::later(900))] {
            let refused = f.store.bootstrap(hash, &owner, at).await;
            assert!(matches!(refused, Err(postern_store::BootstrapError::Token)), "{refused:?}");
        }
        assert!(f.store.all::<User>().await.unwrap().is_empty());
        f.store.bootstrap(fresh, &owner, NOW).await.unwrap();
    }

    async fn a05_an_installation_with_an_owner_issues_and_takes_no_bootstrap_token(f) {
        owned(f, &["ada"]).await;
        assert!(f.store.is_bootstrapped().await.unwrap());
        assert!(!f.store.issue_bootstrap_token(SecretHash([5; 32]), crate::fixture::later(900), NOW).await.unwrap());
        let user = User::local(postern_ids::UserId::mint(NOW, rand::random()), name("eve"));
        let owner = NewOwner { user, password_hash: "$argon2id$x".into() };
        for hash in [SecretHash([5; 32]), SecretHash([1; 32])] {
            assert!(matches!(f.store.bootstrap(hash, &owner, NOW).await, Err(postern_store::BootstrapError::Done)));
        }
    }
}
