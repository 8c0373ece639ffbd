//! The keys of grants change under connectors that are there, that were away, and that are lied to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use postern_ids::{ConnectorId, ResourceId, SessionId, Timestamp};
use postern_token::{
    ANNOUNCED_MAX, Alg, GrantClaims, KEYS_AUDIENCE, KeysClaims, PinnedKeys, Rejected, SigningKey,
    TOKEN_MAX_BYTES, TimedKey, announce, mint_grant,
};
use std::time::Duration;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ISSUER: &str = "https://gw.example";
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn key() -> SigningKey {
    SigningKey::generate(Alg::EdDsa).unwrap()
}

fn timed(key: &SigningKey, not_before: Timestamp, expires: Timestamp) -> TimedKey {
    TimedKey { key: key.verifying().clone(), not_before: Some(not_before), expires: Some(expires) }
}

/// A connector that enrolled when this was the only key.
fn pinned(key: &SigningKey) -> PinnedKeys {
    PinnedKeys::new(ISSUER, vec![TimedKey { key: key.verifying().clone(), not_before: None, expires: None }])
}

fn claims(keys: Vec<TimedKey>, now: Timestamp) -> KeysClaims {
    KeysClaims {
        iss: ISSUER.to_owned(),
        aud: KEYS_AUDIENCE.to_owned(),
        keys,
        iat: now,
        nbf: now,
        exp: now.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    }
}

fn connector() -> ConnectorId {
    ConnectorId::mint(NOW, [1; 10])
}

fn grant(key: &SigningKey, now: Timestamp) -> String {
    let claims = GrantClaims {
        iss: ISSUER.to_owned(),
        aud: connector(),
        session: SessionId::mint(NOW, [4; 10]),
        resource: ResourceId::mint(NOW, [5; 10]),
        resource_name: "db".to_owned(),
        target_host: "10.0.0.1".to_owned(),
        target_port: 22,
        principal: "alice".to_owned(),
        stream: None,
        cnf: None,
        ses: None,
        iat: now,
        nbf: now,
        exp: now.plus(Duration::from_secs(60)),
        jti: "1".to_owned(),
    };
    mint_grant(&claims, key).unwrap()
}

fn verdict(pinned: &PinnedKeys, key: &SigningKey, now: Timestamp) -> Result<(), Rejected> {
    pinned.verify_grant(&grant(key, now), &connector().to_string(), now).map(drop)
}

#[test]
fn j13_a_rotated_key_counts_only_after_a_pinned_key_announced_it_and_when_its_time_has_come() {
    let (old, new) = (key(), key());
    let mut pins = pinned(&old);
    assert_eq!(verdict(&pins, &new, NOW), Err(Rejected::KidUnknown));
    let begins = NOW.plus(2 * HOUR);
    let keys = vec![timed(&old, NOW, begins.plus(YEAR)), timed(&new, begins, begins.plus(2 * YEAR))];
    let announcement = announce(&claims(keys, NOW), [&old, &new]).unwrap();
    assert_eq!(pins.learn(announcement.as_bytes(), NOW), Ok(true));
    assert_eq!(pins.learn(announcement.as_bytes(), NOW), Ok(false), "said again, it is no news");
    assert_eq!(verdict(&pins, &old, NOW), Ok(()));
    assert_eq!(verdict(&pins, &new, NOW), Err(Rejected::KidUnknown), "it does not sign yet");
    assert_eq!(verdict(&pins, &new, begins), Ok(()));
    assert_eq!(verdict(&pins, &old, begins), Ok(()), "what the older one signed is still on its way");
    let over = begins.plus(YEAR).plus(HOUR);
    assert_eq!(verdict(&pins, &old, over), Err(Rejected::KidUnknown), "its time is over");
    assert_eq!(verdict(&pins, &new, over), Ok(()));
}

#[test]
fn j13_who_was_away_during_the_overlap_learns_from_a_key_that_signs_announcements_only() {
    let (first, second, third) = (key(), key(), key());
    let mut pins = pinned(&first);
    let later = NOW.plus(YEAR);
    let keys = vec![
        timed(&first, NOW, later.plus(HOUR)),
        timed(&second, NOW, later.plus(YEAR)),
        timed(&third, later, later.plus(YEAR)),
    ];
    let announcement = announce(&claims(keys, later), [&third, &second, &first]).unwrap();
    assert_eq!(pins.learn(announcement.as_bytes(), later), Ok(true));
    assert_eq!(verdict(&pins, &third, later), Ok(()));
}

#[test]
fn j13_keys_that_no_pinned_key_vouches_for_are_refused() {
    let (old, new, stranger) = (key(), key(), key());
    let mut pins = pinned(&old);
    let keys = || vec![timed(&new, NOW, NOW.plus(YEAR))];
    let mut learn = |claims: &KeysClaims, signer: &SigningKey| {
        pins.learn(announce(claims, [signer]).unwrap().as_bytes(), NOW)
    };
    assert_eq!(learn(&claims(keys(), NOW), &stranger), Err(Rejected::KidUnknown));
    assert_eq!(learn(&claims(keys(), NOW), &new), Err(Rejected::KidUnknown), "a key cannot vouch for itself");
    let elsewhere = KeysClaims { iss: "https://evil.example".to_owned(), ..claims(keys(), NOW) };
    assert_eq!(learn(&elsewhere, &old), Err(Rejected::IssInvalid));
    let for_others = KeysClaims { aud: ISSUER.to_owned(), ..claims(keys(), NOW) };
    assert_eq!(learn(&for_others, &old), Err(Rejected::AudInvalid));
    assert_eq!(learn(&claims(keys(), NOW.minus(HOUR)), &old), Err(Rejected::Expired), "a recorded one");
    let too_many = (0..=ANNOUNCED_MAX).map(|_| timed(&key(), NOW, NOW.plus(YEAR))).collect();
    assert_eq!(learn(&claims(too_many, NOW), &old), Err(Rejected::ClaimFormat));
    assert_eq!(learn(&claims(Vec::new(), NOW), &old), Err(Rejected::ClaimFormat));
    let other_kind = TimedKey {
        key: SigningKey::generate(Alg::Es256).unwrap().verifying().clone(),
        not_before: None,
        expires: None,
    };
    assert_eq!(learn(&claims(vec![other_kind], NOW), &old), Err(Rejected::AlgKeyMismatch));
    assert_eq!(pins, pinned(&old), "nothing of it stayed");
}

#[test]
fn j13_a_forged_token_beside_a_good_one_changes_nothing() {
    let (old, new, stranger) = (key(), key(), key());
    let mut pins = pinned(&old);
    let good = announce(&claims(vec![timed(&new, NOW, NOW.plus(YEAR))], NOW), [&old]).unwrap();
    let forged = announce(&claims(vec![timed(&stranger, NOW, NOW.plus(YEAR))], NOW), [&stranger]).unwrap();
    assert_eq!(pins.learn(format!("{forged}\n{good}").as_bytes(), NOW), Ok(true));
    assert_eq!(verdict(&pins, &new, NOW), Ok(()));
    assert_eq!(verdict(&pins, &stranger, NOW), Err(Rejected::KidUnknown));
}

#[test]
fn j11_an_announcement_without_end_is_refused_before_any_work() {
    let mut pins = pinned(&key());
    let endless = vec![b'a'; ANNOUNCED_MAX * (TOKEN_MAX_BYTES + 1) + 1];
    assert_eq!(pins.learn(&endless, NOW), Err(Rejected::TooLarge));
    assert_eq!(pins.learn(&[0xff; 64], NOW), Err(Rejected::Malformed));
    assert_eq!(pins.learn(b"", NOW), Err(Rejected::Malformed));
}

#[test]
fn keys_survive_their_kept_form_and_plain_ones_have_no_bounds() {
    let held = timed(&key(), NOW, NOW.plus(YEAR));
    assert_eq!(TimedKey::from_jwk(&held.to_jwk()).unwrap(), held);
    let plain = TimedKey::from_jwk(&held.key.to_jwk()).unwrap();
    assert_eq!((plain.not_before, plain.expires), (None, None));
    let mut odd = held.to_jwk();
    odd["exp"] = "tomorrow".into();
    assert!(TimedKey::from_jwk(&odd).is_err(), "an end that cannot be read is not no end");
}

#[test]
fn the_largest_announcement_fits_into_one_frame() {
    let keys: Vec<SigningKey> = (0..ANNOUNCED_MAX).map(|_| key()).collect();
    let timed = keys.iter().map(|key| timed(key, NOW, NOW.plus(YEAR))).collect();
    let announcement = announce(&claims(timed, NOW), &keys).unwrap();
    assert!(announcement.len() <= 65_536, "{}", announcement.len());
    assert!(announcement.split('\n').all(|token| token.len() <= TOKEN_MAX_BYTES));
    assert_eq!(pinned(&keys[0]).learn(announcement.as_bytes(), NOW), Ok(true));
}
