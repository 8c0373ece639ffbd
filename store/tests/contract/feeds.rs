//! The change feed and the loads it asks for.

use crate::fixture::{NOW, contract, name};
use postern_ids::SiteId;
use postern_policy::model::{PrincipalId, Site};
use postern_store::{Changes, Expect, Kind, News};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

async fn soon(feed: &mut postern_store::ChangeFeed) -> News {
    tokio::time::timeout(Duration::from_secs(5), feed.next()).await.unwrap()
}

contract! {
    async fn a_change_is_told_at_once_with_what_changed(f) {
        let before = f.store.revision().await.unwrap();
        let mut feed = f.store.feed(before);
        let confirmed = feed.confirmed();
        let told = tokio::spawn(async move { (soon(&mut feed).await, Instant::now(), feed) });
        let mut waiting = confirmed.clone();
        waiting.wait_for(Option::is_some).await.unwrap();
        let site = f.put_site("office").await;
        let committed = Instant::now();
        let (news, at, _feed) = told.await.unwrap();
        let News::Moved { revision, changes: Changes::Listed(listed) } = news else { unreachable!("{news:?}") };
        assert_eq!(revision, before + 1);
        assert_eq!((listed[0].kind, listed[0].id.clone()), (Kind::Site, site.id.to_string()));
        assert!(at.saturating_duration_since(committed) < Duration::from_secs(1));
        assert_eq!(confirmed.borrow().unwrap().revision, revision);
    }

    async fn changes_made_while_nobody_listened_are_listed_together(f) {
        let before = f.store.revision().await.unwrap();
        let user = f.put_user("ada").await;
        let group = f.put_group("ops").await;
        let mut change = f.change().await;
        change.set_groups_of(PrincipalId::User(user.id), &[group.id]).await.unwrap();
        change.commit().await.unwrap();
        let mut feed = f.store.feed(before);
        let News::Moved { revision, changes: Changes::Listed(listed) } = soon(&mut feed).await else { unreachable!("nothing was cleaned away") };
        assert_eq!(revision, before + 3);
        let kinds: Vec<_> = listed.iter().map(|c| c.kind).collect();
        assert_eq!(kinds, [Kind::User, Kind::Group, Kind::User]);
        assert_eq!(listed[2].id, user.id.to_string());
    }

    async fn a_gap_in_the_feed_is_told(f) {
        let before = f.store.revision().await.unwrap();
        for n in 0..3 {
            f.put_site(&format!("site{n}")).await;
        }
        f.tamper("DELETE FROM changes WHERE id <> '' AND revision = (SELECT MAX(revision) - 1 FROM changes)").await;
        let mut feed = f.store.feed(before);
        assert_eq!(soon(&mut feed).await, News::Moved { revision: before + 3, changes: Changes::Gap });
    }

    async fn a_revision_that_goes_back_is_told_once_and_what_follows_is_a_gap(f) {
        f.put_site("a").await;
        let revision = f.store.revision().await.unwrap();
        let mut feed = f.store.feed(revision + 5);
        assert_eq!(soon(&mut feed).await, News::Regressed { seen: revision + 5, found: revision });
        assert_eq!(*feed.confirmed().borrow(), None);
        for n in 0..5 {
            f.put_site(&format!("site{n}")).await;
        }
        loop {
            match soon(&mut feed).await {
                News::Regressed { found, .. } => assert!(found > revision),
                News::Moved { revision: found, changes } => {
                    assert_eq!((found, changes), (revision + 5, Changes::Gap));
                    break;
                }
            }
        }
    }

    async fn only_the_parts_that_moved_are_read_again(f) {
        let site = f.put_site("office").await;
        let mut loader = f.store.snapshot_loader();
        let first = loader.load(NOW).await.unwrap();
        assert_eq!(first.places.sites[0].id, site.id);
        let user = f.put_user("ada").await;
        let mut change = f.change().await;
        change.disable_user(user.id).await.unwrap();
        change.commit().await.unwrap();
        let second = loader.load(NOW).await.unwrap();
        assert_eq!(second.revision, f.store.revision().await.unwrap());
        assert!(Arc::ptr_eq(&first.rules, &second.rules) && Arc::ptr_eq(&first.places, &second.places));
        assert!(second.revoked.disabled_users.contains(&user.id));
        f.put_site("home").await;
        let third = loader.load(NOW).await.unwrap();
        assert!(Arc::ptr_eq(&second.revoked, &third.revoked));
        assert_eq!(third.places.sites.len(), 2);
    }

    async fn a_restored_backup_with_the_same_revision_is_read_whole(f) {
        f.put_site("office").await;
        let mut loader = f.store.snapshot_loader();
        let first = loader.load(NOW).await.unwrap();
        // Another history: the same numbers, another chain.
        f.tamper("UPDATE sites SET name = 'other', body = replace(body, 'office', 'other')").await;
        f.tamper("UPDATE audit SET hash = prev.hash FROM (SELECT hash FROM audit WHERE chain = 'store' AND sequence = 1) AS prev WHERE chain = 'store' AND sequence = 2").await;
        let second = loader.load(NOW).await.unwrap();
        assert_eq!((second.revision, second.places.sites[0].name.as_str()), (first.revision, "other"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_a_change_of_another_process_arrives_by_notification_and_without_it_by_poll() {
    let Some(f) = crate::fixture::Fixture::postgres().await else { return };
    let mut feed = f.store.feed(f.store.revision().await.unwrap());
    let confirmed = feed.confirmed();
    let told = tokio::spawn(async move { (soon(&mut feed).await, Instant::now()) });
    confirmed.clone().wait_for(Option::is_some).await.unwrap();
    let other = f.reopen().await;
    let mut change = other.change(postern_store::Actor::system("test"), NOW).await.unwrap();
    let site = Site { id: SiteId::mint(NOW, [1; 10]), name: name("office") };
    change.put(&site, Expect::New).await.unwrap();
    change.commit().await.unwrap();
    let committed = Instant::now();
    let (news, at) = told.await.unwrap();
    assert!(matches!(news, News::Moved { .. }));
    assert!(at.saturating_duration_since(committed) < Duration::from_secs(2));
    other.close().await;
    f.finish().await;
}
