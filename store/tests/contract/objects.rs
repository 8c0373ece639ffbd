//! Objects: versions, names, references, ids.

use crate::fixture::{NOW, contract, name};
use postern_ids::{GrantId, GroupId, PolicyId, ResourceId, ServiceAccountId, SiteId};
use postern_policy::{
    admin::OWNERS,
    model::{
        ActionKind, Conditions, Grant, Group, Outage, PolicyText, PrincipalId, Resource, Selector, Settings,
        Site, Subject, Threshold, Weekday, Window,
    },
};
use postern_store::{ChangeError, Expect, Kind, Object, ServiceAccount, Stored, User, Version};

async fn survives<T: Object + PartialEq + std::fmt::Debug>(f: &crate::fixture::Fixture, object: T) {
    let mut change = f.change().await;
    assert_eq!(change.put(&object, Expect::New).await.unwrap(), Version(1));
    change.commit().await.unwrap();
    let found: Stored<T> = f.store.find(&object.id()).await.unwrap().unwrap();
    assert_eq!(found.value, object);
    assert_eq!((found.version, found.created_at, found.updated_at), (Version(1), NOW, NOW));
    let by_name: Stored<T> = f.store.find_named(object.name()).await.unwrap().unwrap();
    assert_eq!(by_name, found);
    assert!(f.store.all::<T>().await.unwrap().contains(&found));
}

contract! {
    async fn every_kind_of_object_survives_the_store(f) {
        let site = f.put_site("office").await;
        let resource = f.put_resource(site.id, "db").await;
        assert_eq!(f.store.find::<Resource>(&resource.id).await.unwrap().unwrap().value, resource);
        let user = f.put_user("ada").await;
        survives(f, Group { id: GroupId::mint(NOW, [1; 10]), name: name("ops"), parents: vec![OWNERS] }).await;
        survives(f, ServiceAccount { id: ServiceAccountId::mint(NOW, [2; 10]), name: name("ci"), note: "builds".into(), disabled: false }).await;
        survives(f, Grant {
            id: GrantId::mint(NOW, [3; 10]),
            name: name("ada-db"),
            subjects: vec![Subject::User(user.id), Subject::Everyone],
            resources: Selector::Ids(vec![resource.id]),
            actions: vec![ActionKind::Connect],
            conditions: Conditions { windows: vec![name("hours")], source_cidrs: vec!["10.0.0.0/8".parse().unwrap()], ..Conditions::default() },
            expires_at: Some(NOW),
            outage: Outage::FailStatic { ttl_s: 60 },
        }).await;
        survives(f, PolicyText { id: PolicyId::mint(NOW, [4; 10]), name: name("p"), text: "permit(principal, action, resource);".into(), outage: Outage::FailClosed }).await;
        survives(f, Window { name: name("hours"), zone: "Europe/Berlin".into(), days: vec![Weekday::Mon], from: "08:00".into(), to: "18:00".into() }).await;
        survives(f, Threshold { name: name("fresh"), seconds: 600 }).await;
    }

    async fn a_writer_that_saw_an_older_version_is_refused(f) {
        let site = f.put_site("office").await;
        let renamed = Site { name: name("hq"), ..site.clone() };
        let mut change = f.change().await;
        assert_eq!(change.put(&renamed, Expect::At(Version(1))).await.unwrap(), Version(2));
        change.commit().await.unwrap();

        let mut late = f.change().await;
        let refused = late.put(&site, Expect::At(Version(1))).await;
        assert!(matches!(refused, Err(ChangeError::Conflict { kind: Kind::Site, found: Some(Version(2)), .. })));
        let refused = late.put(&site, Expect::New).await;
        assert!(matches!(refused, Err(ChangeError::Conflict { .. })));
        assert!(matches!(late.commit().await, Err(ChangeError::Failed)));
        assert_eq!(f.store.find::<Site>(&site.id).await.unwrap().unwrap().value, renamed);
    }

    async fn writing_what_is_there_already_changes_nothing(f) {
        let site = f.put_site("office").await;
        let before = f.store.revision().await.unwrap();
        let mut change = f.change().await;
        assert_eq!(change.put(&site, Expect::At(Version(1))).await.unwrap(), Version(1));
        assert_eq!(change.commit().await.unwrap(), before);
        assert_eq!(f.store.revision().await.unwrap(), before);
    }

    async fn a_name_belongs_to_one_object(f) {
        f.put_site("office").await;
        let mut change = f.change().await;
        let other = Site { id: SiteId::mint(NOW, [9; 10]), name: name("office") };
        assert!(matches!(change.put(&other, Expect::New).await, Err(ChangeError::Taken { kind: Kind::Site, .. })));
    }

    async fn an_id_is_never_given_to_another_object(f) {
        let site = f.put_site("office").await;
        let mut change = f.change().await;
        change.delete::<Site>(&site.id, Expect::At(Version(1))).await.unwrap();
        change.commit().await.unwrap();
        for expect in [Expect::New, Expect::Any] {
            let mut change = f.change().await;
            assert!(matches!(change.put(&site, expect).await, Err(ChangeError::Taken { .. })));
        }
    }

    async fn a_site_in_use_is_not_removed_and_a_site_that_is_not_there_is_not_used(f) {
        let site = f.put_site("office").await;
        f.put_resource(site.id, "db").await;
        let mut change = f.change().await;
        let refused = change.delete::<Site>(&site.id, Expect::Any).await;
        assert!(matches!(refused, Err(ChangeError::Referenced { kind: Kind::Site, .. })));
        drop(change);

        let mut change = f.change().await;
        let template = f.store.find_named::<Resource>(&name("db")).await.unwrap().unwrap().value;
        let lost = Resource { id: ResourceId::mint(NOW, [5; 10]), name: name("lost"), site: SiteId::mint(NOW, [6; 10]), ..template };
        assert!(matches!(change.put(&lost, Expect::New).await, Err(ChangeError::Referenced { kind: Kind::Resource, .. })));
    }

    async fn removing_what_is_not_there_is_refused(f) {
        let mut change = f.change().await;
        let refused = change.delete::<Site>(&SiteId::mint(NOW, [7; 10]), Expect::Any).await;
        assert!(matches!(refused, Err(ChangeError::Missing { .. })));
    }

    async fn memberships_are_set_and_read_from_both_ends(f) {
        let (ops, dev) = (f.put_group("ops").await, f.put_group("dev").await);
        let ada = PrincipalId::User(f.put_user("ada").await.id);
        let bob = PrincipalId::User(f.put_user("bob").await.id);
        let mut change = f.change().await;
        change.set_groups_of(ada, &[ops.id, dev.id]).await.unwrap();
        change.set_members(dev.id, &[bob]).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(f.store.groups_of(ada).await.unwrap(), [ops.id]);
        assert_eq!(f.store.members_of(dev.id).await.unwrap(), [bob]);
        assert_eq!(f.store.memberships().await.unwrap().len(), 2);

        let mut change = f.change().await;
        change.delete::<Group>(&dev.id, Expect::Any).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(f.store.groups_of(bob).await.unwrap(), []);
    }

    async fn a_membership_of_nobody_or_in_nothing_is_refused(f) {
        let ops = f.put_group("ops").await;
        let ada = PrincipalId::User(f.put_user("ada").await.id);
        let ghost = PrincipalId::User(postern_ids::UserId::mint(NOW, [8; 10]));
        for principal in [ghost, PrincipalId::Anonymous] {
            let mut change = f.change().await;
            assert!(matches!(change.set_members(ops.id, &[principal]).await, Err(ChangeError::Missing { kind: Kind::User, .. })));
        }
        let mut change = f.change().await;
        let refused = change.set_groups_of(ada, &[GroupId::mint(NOW, [8; 10])]).await;
        assert!(matches!(refused, Err(ChangeError::Missing { kind: Kind::Group, .. })), "{refused:?}");
    }

    async fn a_principal_carries_its_groups_and_the_revision_it_was_read_at(f) {
        let ops = f.put_group("ops").await;
        let user = f.put_user("ada").await;
        let ada = PrincipalId::User(user.id);
        let mut change = f.change().await;
        change.set_groups_of(ada, &[ops.id]).await.unwrap();
        let revision = change.commit().await.unwrap();
        let principal = f.store.principal(ada).await.unwrap().unwrap();
        assert_eq!((&*principal.name, principal.groups, principal.revision), ("ada", vec![ops.id], revision));
        let ghost = PrincipalId::User(postern_ids::UserId::mint(NOW, [8; 10]));
        assert_eq!(f.store.principal(ghost).await.unwrap(), None);
    }

    async fn a_local_account_is_found_by_name_and_only_with_a_password(f) {
        let user = f.put_user("ada").await;
        assert!(f.store.local_account(&name("ada")).await.unwrap().is_none());
        let mut change = f.change().await;
        change.set_password_hash(user.id, Some("$argon2id$x")).await.unwrap();
        change.commit().await.unwrap();
        let account = f.store.local_account(&name("ada")).await.unwrap().unwrap();
        assert_eq!(account.user, user);
        assert!(!format!("{account:?}").contains("argon2id"));
        assert!(f.store.local_account(&name("bob")).await.unwrap().is_none());
        let stored = f.store.find::<User>(&user.id).await.unwrap().unwrap();
        assert!(!serde_json::to_string(&stored.value).unwrap().contains("argon2id"));
    }

    async fn settings_have_defaults_and_versions(f) {
        let before = f.store.settings().await.unwrap();
        assert_eq!(before.value, Settings::default());
        let wanted = Settings { max_staleness_s: 60, ..Settings::default() };
        let mut change = f.change().await;
        change.put_settings(&wanted, Expect::At(before.version)).await.unwrap();
        change.commit().await.unwrap();
        let mut late = f.change().await;
        assert!(matches!(late.put_settings(&Settings::default(), Expect::At(before.version)).await, Err(ChangeError::Conflict { .. })));
        drop(late);
        assert_eq!(f.store.settings().await.unwrap().value, wanted);
    }

    async fn a03_names_and_texts_that_look_like_statements_are_only_text(f) {
        let hostile = "x'); DROP TABLE users; -- $1 %_ \u{202e}\"{}";
        let policy = PolicyText { id: PolicyId::mint(NOW, [4; 10]), name: name("p"), text: hostile.into(), outage: Outage::Standard };
        survives(f, policy).await;
        assert!(f.store.all::<User>().await.unwrap().is_empty());
    }
}
