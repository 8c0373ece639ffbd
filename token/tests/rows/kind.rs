//! A token of one kind at the door of another.

use crate::forge::{self, Forge, NOW};
use postern_ids::Timestamp;
use postern_token::{
    ACCESS_AUDIENCE, Alg, Expect, KeySet, PinnedKeys, Rejected, SigningKey, TimedKey, verify_access,
    verify_dial, verify_grant, verify_held_grant, verify_lapsed_access, verify_ticket,
};
use serde_json::json;
use std::time::Duration;

#[test]
fn j09_a_token_of_one_kind_is_useless_as_another() {
    let access = Forge::new();
    let grant = Forge::grant();
    assert_eq!(access.access(&access.token()), Ok(()));
    assert_eq!(grant.grant_verdict(&grant.token()), Ok(()));
    // Even one key set that knows all keys keeps the kinds apart.
    let keys = KeySet::of(forge::ISSUER, [access.key.verifying().clone(), grant.key.verifying().clone()]);
    let expect = Expect { issuer: forge::ISSUER, audience: ACCESS_AUDIENCE };
    assert_eq!(verify_access(&grant.token(), &keys, expect, NOW).err(), Some(Rejected::TypInvalid));
    assert_eq!(verify_grant(&access.token(), &keys, expect, NOW).err(), Some(Rejected::TypInvalid));
    assert_eq!(verify_ticket(&grant.token(), &keys, expect, NOW).err(), Some(Rejected::TypInvalid));
    for typ in [
        json!("JWT"),
        json!("id_token"),
        json!("logout+jwt"),
        json!("AT+JWT"),
        json!("application/at+jwt"),
        json!(1),
    ] {
        assert_eq!(
            access.access(&access.with_header("typ", typ.clone())),
            Err(Rejected::TypInvalid),
            "{typ}"
        );
    }
    assert_eq!(access.access(&access.without_header("typ")), Err(Rejected::TypInvalid));
    // A grant is no announcement of keys, though the same key signs both.
    let key = TimedKey { key: grant.key.verifying().clone(), not_before: None, expires: None };
    let mut pinned = PinnedKeys::new(forge::ISSUER, vec![key]);
    assert_eq!(pinned.learn(grant.token().as_bytes(), NOW), Err(Rejected::TypInvalid));
    // The right name on a token of the wrong algorithm does not help either.
    assert_eq!(
        verify_access(&grant.with_header("typ", json!("at+jwt")), &keys, expect, NOW).err(),
        Some(Rejected::AlgKeyMismatch)
    );
}

#[test]
fn j09_a_ticket_is_no_grant_and_a_grant_no_ticket_although_one_key_signs_both() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    assert_eq!(grant.grant_verdict(&grant.token()), Ok(()));
    assert_eq!(grant.held_verdict(&grant.token()), Ok(()));
    assert_eq!(ticket.ticket_verdict(&ticket.token()), Ok(()));
    assert_eq!(grant.ticket_verdict(&grant.token()), Err(Rejected::TypInvalid));
    assert_eq!(ticket.grant_verdict(&ticket.token()), Err(Rejected::TypInvalid));
    assert_eq!(ticket.held_verdict(&ticket.token()), Err(Rejected::TypInvalid));
    // A header that lies about the kind: the claims of the other kind, or its audience, give it away.
    let renamed = grant.with_header("typ", json!("postern-ticket+jwt"));
    assert_eq!(grant.ticket_verdict(&renamed), Err(Rejected::AudInvalid));
    let renamed = ticket.with_header("typ", json!("postern-grant+jwt"));
    assert_eq!(ticket.grant_verdict(&renamed), Err(Rejected::AudInvalid));
    assert_eq!(ticket.held_verdict(&renamed), Err(Rejected::AudInvalid));
}

#[test]
fn a_key_of_another_algorithm_mints_nothing() {
    let key = SigningKey::generate(Alg::EdDsa).unwrap();
    assert!(postern_token::mint_access(&forge::access_claims(), &key).is_err());
}

#[test]
fn times_lose_their_fractions_when_they_are_signed() {
    let forge = Forge::new();
    let mut claims = forge::access_claims();
    claims.iat = Timestamp::from_micros(NOW.as_micros() + 999_999);
    let token = postern_token::mint_access(&claims, &forge.key).unwrap();
    let expect = Expect { issuer: forge::ISSUER, audience: ACCESS_AUDIENCE };
    let keys = KeySet::of(forge::ISSUER, [forge.key.verifying().clone()]);
    assert_eq!(verify_access(&token, &keys, expect, NOW).unwrap().iat, NOW);
}

#[test]
fn j09_of_every_kind_no_other_door_takes_it_though_one_key_set_knows_all_keys() {
    let doors: [(&str, Door); 5] = [
        ("access", |token, keys| verify_access(token, keys, ours(ACCESS_AUDIENCE), NOW).err()),
        ("lapsed access", |token, keys| {
            verify_lapsed_access(token, keys, ours(ACCESS_AUDIENCE), Duration::from_secs(300), NOW).err()
        }),
        ("grant", |token, keys| verify_grant(token, keys, ours(&forge::connector(3).to_string()), NOW).err()),
        ("held grant", |token, keys| {
            verify_held_grant(token, keys, ours(&forge::connector(3).to_string()), NOW).err()
        }),
        ("ticket", |token, keys| verify_ticket(token, keys, ours(forge::ISSUER), NOW).err()),
    ];
    let tokens = [
        (Forge::new(), &["access", "lapsed access"][..]),
        (Forge::grant(), &["grant", "held grant"]),
        (Forge::ticket(), &["ticket"]),
        (Forge::dial(), &[]),
        (Forge::of_typ("JWT"), &[]),
        (Forge::of_typ("id_token+jwt"), &[]),
        (Forge::of_typ("logout+jwt"), &[]),
        (Forge::of_typ("postern-keys+jwt"), &[]),
        (Forge::of_typ("postern-assertion+jwt"), &[]),
    ];
    let all = KeySet::of(forge::ISSUER, tokens.iter().map(|(forge, _)| forge.key.verifying().clone()));
    for (forge, at_home) in &tokens {
        for (door, verdict) in doors {
            let expected = if at_home.contains(&door) { None } else { Some(Rejected::TypInvalid) };
            assert_eq!(verdict(&forge.token(), &all), expected, "{} at {door}", forge.header());
        }
        let dial =
            verify_dial(&forge.token(), forge::connector(1), forge.key.verifying(), forge::ISSUER, NOW);
        let expected =
            if forge.header().contains("postern-dial") { None } else { Some(Rejected::TypInvalid) };
        assert_eq!(dial.err(), expected, "{} as a dial", forge.header());
    }
}

type Door = fn(&str, &KeySet) -> Option<Rejected>;

fn ours(audience: &str) -> Expect<'_> {
    Expect { issuer: forge::ISSUER, audience }
}
