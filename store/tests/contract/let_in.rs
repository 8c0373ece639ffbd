//! What a person let in from their browser begins only while that word stands.

use crate::credentials::{approval, code, device, sign_in, signed_in};
use crate::fixture::{Fixture, NOW, contract, later, name, sized};
use postern_ids::{SignInId, UserId};
use postern_store::{Actor, ChangeError, DevicePoll, Kind, ProviderWord, SecretHash, SignIn, SignedOut};
use std::time::Duration;

/// Approvals that meet a lock-out, one after the other.
const ROUNDS: u32 = 20;

async fn set_disabled(f: &Fixture, user: UserId, disabled: bool) {
    let mut change = f.change().await;
    if disabled {
        change.disable_user(user).await.unwrap();
    } else {
        change.enable_user(user).await.unwrap();
    }
    change.commit().await.unwrap();
}

fn refused_as(refused: &Result<impl std::fmt::Debug, ChangeError>, kind: Kind) {
    assert!(
        matches!(refused, Err(ChangeError::Missing { kind: found, .. }) if *found == kind),
        "{refused:?}"
    );
}

/// What a device does with an approved code: whatever comes of it, it ends in a sign-in or in nothing.
async fn redeem(f: &Fixture, hash: [u8; 32], user: UserId) -> Option<SignInId> {
    let DevicePoll::Approved { sign_in: id, .. } = f.store.poll_device(SecretHash(hash), NOW).await.unwrap()
    else {
        return None;
    };
    let begun = SignIn { id, ..sign_in(user) };
    f.store.begin_let_in_sign_in(&begun, NOW).await.is_ok().then_some(id)
}

contract! {
    async fn nothing_is_approved_in_a_sign_in_that_was_ended_meanwhile(f) {
        let browser = signed_in(f).await;
        f.store.issue_device_code(&device(1)).await.unwrap();
        // The page has found the browser signed in; then the person is locked out, and the page goes on.
        set_disabled(f, browser.user, true).await;
        refused_as(&f.store.approve_device("BCDFGHJ1", &approval(&browser, 1), NOW).await, Kind::SignIn);
        let code = code(5, &sign_in(browser.user));
        refused_as(&f.store.issue_authorization_code(&code, browser.id, NOW).await, Kind::SignIn);
        set_disabled(f, browser.user, false).await;
        assert_eq!(f.store.poll_device(SecretHash([1; 32]), later(10)).await.unwrap(), DevicePoll::Pending);
        assert_eq!(f.store.redeem_authorization_code(code.hash, NOW).await.unwrap(), postern_store::CodeRedemption::Invalid);
    }

    async fn an_approval_waits_for_the_end_of_its_sign_in_that_is_being_written(f) {
        let browser = signed_in(f).await;
        f.store.issue_device_code(&device(1)).await.unwrap();
        let mut change = f.change().await;
        change.disable_user(browser.user).await.unwrap();
        let (store, yes) = (f.store.clone(), approval(&browser, 1));
        let mut approving = tokio::spawn(async move { store.approve_device("BCDFGHJ1", &yes, NOW).await });
        let early = tokio::time::timeout(Duration::from_millis(100), &mut approving).await;
        assert!(early.is_err(), "{early:?} although the sign-in is being ended");
        change.commit().await.unwrap();
        refused_as(&approving.await.unwrap(), Kind::SignIn);
    }

    async fn an_approval_in_the_moment_of_a_lock_out_begins_nothing_after_it(f) {
        let user = f.put_user("ada").await.id;
        for round in 0..sized(ROUNDS, 20 * ROUNDS) {
            let browser = sign_in(user);
            f.store.begin_sign_in(&browser, NOW).await.unwrap();
            let hash: [u8; 32] = rand::random();
            let asked = postern_store::DeviceAuthorization { hash: SecretHash(hash), user_code: format!("C{round}"), ..device(1) };
            f.store.issue_device_code(&asked).await.unwrap();
            let yes = postern_store::DeviceApproval { sign_in: SignInId::mint(NOW, rand::random()), ..approval(&browser, 1) };
            let approving = async { f.store.approve_device(&asked.user_code, &yes, NOW).await };
            let (approved, ()) = tokio::join!(approving, set_disabled(f, user, true));
            set_disabled(f, user, false).await;
            assert_eq!(redeem(f, hash, user).await, None, "round {round}, approved: {approved:?}");
        }
    }

    async fn a_code_spent_before_a_lock_out_begins_nothing_after_it(f) {
        let browser = signed_in(f).await;
        let (by_device, by_code) = (approval(&browser, 1), sign_in(browser.user));
        f.store.issue_device_code(&device(1)).await.unwrap();
        assert!(f.store.approve_device("BCDFGHJ1", &by_device, NOW).await.unwrap());
        f.store.issue_authorization_code(&code(5, &by_code), browser.id, NOW).await.unwrap();
        // Both are spent, and the gateway is about to begin what they stand for.
        assert!(matches!(f.store.poll_device(SecretHash([1; 32]), NOW).await.unwrap(), DevicePoll::Approved { .. }));
        f.store.redeem_authorization_code(SecretHash([5; 32]), NOW).await.unwrap();
        set_disabled(f, browser.user, true).await;
        set_disabled(f, browser.user, false).await;
        for id in [by_device.sign_in, by_code.id] {
            let begun = SignIn { id, ..sign_in(browser.user) };
            refused_as(&f.store.begin_let_in_sign_in(&begun, NOW).await, Kind::SignIn);
        }
        assert!(f.store.sign_ins_of(browser.user, NOW).await.unwrap().is_empty());
    }

    async fn o11_what_was_let_in_on_a_word_that_its_provider_took_back_begins_nothing(f) {
        let user = f.put_user("ada").await.id;
        let browser = SignIn { idp: "company".into(), ..sign_in(user) };
        f.store.begin_sign_in(&browser, NOW).await.unwrap();
        let word = ProviderWord { session: Some("s-1"), ..ProviderWord::default() };
        f.store.keep_provider_word(browser.id, &word, NOW).await.unwrap();
        let (first, second) = (sign_in(user), sign_in(user));
        for (n, begun) in [(1, &first), (2, &second)] {
            f.store.issue_authorization_code(&code(n, begun), browser.id, NOW).await.unwrap();
        }
        // Who signs out of the browser keeps the command that they have just let in,
        f.store.end_sign_in(browser.id, "signed_out", &Actor::system("test"), NOW).await.unwrap();
        f.store.begin_let_in_sign_in(&first, NOW).await.unwrap();
        assert_eq!(f.store.sign_in(first.id).await.unwrap().unwrap().idp, "company");
        // and whom the provider signs out keeps nothing.
        let whom = SignedOut::Session("s-1");
        assert_eq!(f.store.end_sign_ins_of_provider(&name("company"), &whom, "provider_logout", NOW).await.unwrap(), 1);
        refused_as(&f.store.begin_let_in_sign_in(&second, NOW).await, Kind::SignIn);
    }
}
