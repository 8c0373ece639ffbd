//! Sign-ins and what leads to them: single use is single use, whoever races; what ended stays ended.

use crate::fixture::{Fixture, NOW, contract, later};
use postern_ids::{SignInId, Timestamp, UserId};
use postern_store::{
    Actor, AuthorizationCode, ChangeError, CodeRedemption, DeviceApproval, DeviceAuthorization, DevicePoll,
    DeviceState, Kind, RefreshOutcome, RefreshToken, SecretHash, SignIn, Store,
};
use std::time::Duration;

pub(crate) fn sign_in(user: UserId) -> SignIn {
    SignIn {
        id: SignInId::mint(NOW, rand::random()),
        user,
        client_id: "postern-cli".into(),
        idp: "local".into(),
        authenticated_at: NOW,
        mfa_at: None,
        acr: None,
        amr: Vec::new(),
        expires_at: later(36_000),
        ended_at: None,
        end_reason: None,
    }
}

pub(crate) async fn signed_in(f: &Fixture) -> SignIn {
    let user = f.put_user("ada").await;
    let sign_in = sign_in(user.id);
    f.store.begin_sign_in(&sign_in, NOW).await.unwrap();
    sign_in
}

fn token(n: u8) -> RefreshToken {
    RefreshToken {
        text: format!("psr_secret_number_{n}").into(),
        hash: SecretHash([n; 32]),
        expires_at: later(36_000),
    }
}

pub(crate) fn device(n: u8) -> DeviceAuthorization {
    DeviceAuthorization {
        hash: SecretHash([n; 32]),
        user_code: format!("BCDFGHJ{n}"),
        client_id: "postern-cli".into(),
        device: "laptop".into(),
        address: [192, 0, 2, 7].into(),
        interval: Duration::from_secs(5),
        expires_at: later(600),
        state: DeviceState::Pending,
    }
}

/// A person's yes to a device, in this sign-in of their browser.
pub(crate) fn approval(browser: &SignIn, n: u8) -> DeviceApproval {
    DeviceApproval {
        user: browser.user,
        origin: browser.id,
        authenticated_at: NOW,
        sign_in: SignInId::mint(NOW, [n; 10]),
    }
}

/// A code for a command that begins this sign-in.
pub(crate) fn code(n: u8, begun: &SignIn) -> AuthorizationCode {
    AuthorizationCode {
        hash: SecretHash([n; 32]),
        client_id: "postern-cli".into(),
        redirect_uri: "http://127.0.0.1:1/cb".into(),
        code_challenge: "c".into(),
        user: begun.user,
        sign_in: begun.id,
        authenticated_at: NOW,
        expires_at: later(60),
    }
}

async fn rotate(store: Store, presented: u8, successor: u8, now: Timestamp) -> RefreshOutcome {
    store.rotate_refresh_token(SecretHash([presented; 32]), &token(successor), now).await.unwrap()
}

contract! {
    async fn how_somebody_signed_in_is_kept_and_goes_on_to_the_commands_that_they_let_in(f) {
        let user = f.put_user("ada").await;
        let (acr, amr) = (Some("urn:example:gold".to_owned()), vec!["pwd".to_owned(), "otp".to_owned()]);
        let browser = SignIn { acr: acr.clone(), amr: amr.clone(), ..sign_in(user.id) };
        f.store.begin_sign_in(&browser, NOW).await.unwrap();
        let (command, alone) = (sign_in(user.id), sign_in(user.id));
        let code = code(5, &command);
        f.store.issue_authorization_code(&code, browser.id, NOW).await.unwrap();
        f.store.begin_let_in_sign_in(&command, NOW).await.unwrap();
        f.store.begin_sign_in(&alone, NOW).await.unwrap();
        for (id, acr, amr) in [(browser.id, &acr, &amr[..]), (command.id, &acr, &amr), (alone.id, &None, &[])] {
            let kept = f.store.sign_in(id).await.unwrap().unwrap();
            assert_eq!((&kept.acr, &kept.amr[..]), (acr, amr));
            let facts = kept.facts();
            assert_eq!(facts.acr.as_deref(), acr.as_deref());
            assert!(facts.amr.iter().map(|means| &**means).eq(amr.iter().map(String::as_str)));
        }
    }

    async fn a_sign_in_ends_once_and_is_listed_for_every_gateway(f) {
        let sign_in = signed_in(f).await;
        assert_eq!(f.store.sign_in(sign_in.id).await.unwrap().as_ref(), Some(&sign_in));
        let before = f.store.revision().await.unwrap();
        let by = Actor::system("test");
        assert_eq!(f.store.end_sign_in(sign_in.id, "signed_out", &by, later(1)).await.unwrap(), before + 1);
        assert_eq!(f.store.end_sign_in(sign_in.id, "again", &by, later(2)).await.unwrap(), before + 1);
        let ended = f.store.sign_in(sign_in.id).await.unwrap().unwrap();
        assert_eq!((ended.ended_at, ended.end_reason.as_deref()), (Some(later(1)), Some("signed_out")));
        assert!(f.store.snapshot_source(later(3)).await.unwrap().revoked.ended_sign_ins.contains(&sign_in.id));
        assert!(f.store.sign_ins_of(sign_in.user, later(3)).await.unwrap().is_empty());
    }

    async fn disabling_a_person_ends_sign_ins_tokens_and_codes_and_lets_none_begin(f) {
        let sign_in = signed_in(f).await;
        f.store.issue_refresh_token(sign_in.id, &token(1), NOW).await.unwrap();
        f.store.issue_device_code(&device(9)).await.unwrap();
        assert!(f.store.approve_device("BCDFGHJ9", &approval(&sign_in, 9), NOW).await.unwrap());
        let mut change = f.change().await;
        change.disable_user(sign_in.user).await.unwrap();
        change.commit().await.unwrap();

        let revoked = f.store.snapshot_source(NOW).await.unwrap().revoked;
        assert!(revoked.disabled_users.contains(&sign_in.user) && revoked.ended_sign_ins.contains(&sign_in.id));
        assert!(matches!(rotate(f.store.clone(), 1, 2, later(1)).await, RefreshOutcome::Invalid));
        assert_eq!(f.store.poll_device(SecretHash([9; 32]), later(1)).await.unwrap(), DevicePoll::Denied);
        let refused = f.store.begin_sign_in(&self::sign_in(sign_in.user), NOW).await;
        assert!(matches!(refused, Err(ChangeError::Missing { kind: Kind::User, .. })));
    }

    async fn a_browser_cookie_leads_to_its_sign_in(f) {
        let user = f.put_user("ada").await;
        let sign_in = sign_in(user.id);
        f.store.begin_browser_sign_in(&sign_in, SecretHash([3; 32]), NOW).await.unwrap();
        assert_eq!(f.store.browser_sign_in(SecretHash([3; 32])).await.unwrap(), Some(sign_in));
        assert_eq!(f.store.browser_sign_in(SecretHash([4; 32])).await.unwrap(), None);
    }

    async fn j12_of_parallel_refreshes_one_rotates_and_the_others_get_the_same_successor(f) {
        let sign_in = signed_in(f).await;
        f.store.issue_refresh_token(sign_in.id, &token(1), NOW).await.unwrap();
        let mut calls = tokio::task::JoinSet::new();
        for n in 10..26 {
            calls.spawn(async_rotate(f.store.clone(), n));
        }
        let outcomes = calls.join_all().await;
        let winner: Vec<u8> = outcomes.iter().filter(|(_, o)| matches!(o, RefreshOutcome::Rotated { .. })).map(|(n, _)| *n).collect();
        assert_eq!(winner.len(), 1, "{outcomes:?}");
        let expected = format!("psr_secret_number_{}", winner[0]);
        for (_, outcome) in &outcomes {
            if let RefreshOutcome::Repeated { successor, .. } = outcome {
                assert_eq!(secrecy::ExposeSecret::expose_secret(successor), expected);
            } else {
                assert!(matches!(outcome, RefreshOutcome::Rotated { .. }), "{outcome:?}");
            }
        }
    }

    async fn j12_a_refresh_token_used_again_after_half_a_minute_ends_the_sign_in(f) {
        let sign_in = signed_in(f).await;
        f.store.issue_refresh_token(sign_in.id, &token(1), NOW).await.unwrap();
        assert!(matches!(rotate(f.store.clone(), 1, 2, later(10)).await, RefreshOutcome::Rotated { .. }));
        assert!(matches!(rotate(f.store.clone(), 1, 3, later(40)).await, RefreshOutcome::Repeated { .. }));
        let outcome = rotate(f.store.clone(), 1, 3, later(41)).await;
        assert!(matches!(outcome, RefreshOutcome::Reused { sign_in: id } if id == sign_in.id), "{outcome:?}");
        assert!(matches!(rotate(f.store.clone(), 2, 4, later(42)).await, RefreshOutcome::Invalid));
        assert_eq!(f.store.sign_in(sign_in.id).await.unwrap().unwrap().end_reason.as_deref(), Some("refresh_token_reused"));
    }

    async fn j14_an_unknown_or_expired_refresh_token_gets_nothing(f) {
        let sign_in = signed_in(f).await;
        f.store.issue_refresh_token(sign_in.id, &token(1), NOW).await.unwrap();
        assert!(matches!(rotate(f.store.clone(), 7, 8, NOW).await, RefreshOutcome::Invalid));
        assert!(matches!(rotate(f.store.clone(), 1, 8, later(36_000)).await, RefreshOutcome::Invalid));
        assert_eq!(f.store.sign_in_of_refresh_token(SecretHash([1; 32])).await.unwrap(), Some(sign_in.id));
    }

    async fn j12_an_authorization_code_is_good_once_and_a_replay_ends_what_it_began(f) {
        let sign_in = signed_in(f).await;
        let begun = self::sign_in(sign_in.user);
        let code = code(5, &begun);
        f.store.issue_authorization_code(&code, sign_in.id, NOW).await.unwrap();
        assert_eq!(f.store.redeem_authorization_code(SecretHash([6; 32]), NOW).await.unwrap(), CodeRedemption::Invalid);
        assert_eq!(f.store.redeem_authorization_code(code.hash, NOW).await.unwrap(), CodeRedemption::Redeemed(code.clone()));
        f.store.begin_let_in_sign_in(&begun, NOW).await.unwrap();
        assert_eq!(f.store.redeem_authorization_code(code.hash, NOW).await.unwrap(), CodeRedemption::Replayed { sign_in: begun.id });
        assert!(f.store.sign_in(begun.id).await.unwrap().unwrap().ended_at.is_some());

        let late = self::code(7, &self::sign_in(sign_in.user));
        f.store.issue_authorization_code(&late, sign_in.id, NOW).await.unwrap();
        assert_eq!(f.store.redeem_authorization_code(late.hash, later(60)).await.unwrap(), CodeRedemption::Invalid);
    }

    async fn a_device_waits_is_slowed_down_and_gets_its_approval_once(f) {
        let browser = signed_in(f).await;
        let device = device(1);
        f.store.issue_device_code(&device).await.unwrap();
        let poll = async |secs| f.store.poll_device(device.hash, later(secs)).await.unwrap();
        assert_eq!(poll(0).await, DevicePoll::Pending);
        assert_eq!(poll(1).await, DevicePoll::SlowDown);
        assert_eq!(poll(7).await, DevicePoll::SlowDown);
        assert_eq!(poll(30).await, DevicePoll::Pending);
        assert_eq!(f.store.device_by_user_code("BCDFGHJ1", NOW).await.unwrap().unwrap().device, "laptop");
        let (first, second) = (approval(&browser, 1), approval(&browser, 2));
        assert!(f.store.approve_device("BCDFGHJ1", &first, NOW).await.unwrap());
        assert!(!f.store.approve_device("BCDFGHJ1", &second, NOW).await.unwrap());
        assert!(!f.store.deny_device("BCDFGHJ1", NOW).await.unwrap());
        let (one, two) = tokio::join!(poll(60), poll(60));
        let approved = DevicePoll::Approved { user: browser.user, sign_in: first.sign_in, authenticated_at: NOW };
        assert!([one, two].contains(&approved) && [one, two].contains(&DevicePoll::Invalid));
    }

    async fn a_device_code_that_is_denied_expired_or_taken_lets_nobody_in(f) {
        f.store.issue_device_code(&device(1)).await.unwrap();
        f.store.issue_device_code(&device(2)).await.unwrap();
        let twin = DeviceAuthorization { hash: SecretHash([3; 32]), ..device(1) };
        assert!(matches!(f.store.issue_device_code(&twin).await, Err(ChangeError::Taken { .. })));
        assert!(f.store.deny_device("BCDFGHJ1", NOW).await.unwrap());
        assert_eq!(f.store.poll_device(SecretHash([1; 32]), NOW).await.unwrap(), DevicePoll::Denied);
        assert_eq!(f.store.poll_device(SecretHash([2; 32]), later(600)).await.unwrap(), DevicePoll::Invalid);
        assert_eq!(f.store.device_by_user_code("BCDFGHJ2", later(600)).await.unwrap(), None);
    }

    async fn cleaning_removes_what_no_one_can_use_and_nothing_else(f) {
        let sign_in = signed_in(f).await;
        f.store.issue_refresh_token(sign_in.id, &token(1), NOW).await.unwrap();
        f.store.issue_device_code(&device(1)).await.unwrap();
        rotate(f.store.clone(), 1, 2, later(1)).await;
        f.store.clean(later(3600)).await.unwrap();
        assert!(f.store.device_by_user_code("BCDFGHJ1", NOW).await.unwrap().is_none());
        // The spent one still tells a thief from a slow command, its sealed successor is gone.
        assert!(matches!(rotate(f.store.clone(), 1, 3, later(20)).await, RefreshOutcome::Reused { .. }));
    }
}

async fn async_rotate(store: Store, n: u8) -> (u8, RefreshOutcome) {
    (n, rotate(store, 1, n, later(1)).await)
}
