//! Every hostile token of the attack catalogue, each with its one answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use forge::{Forge, NOW};
use postern_ids::Timestamp;
use postern_token::{
    ACCESS_AUDIENCE, Alg, Expect, KeySet, PinnedKeys, Rejected, SigningKey, TOKEN_MAX_BYTES, TimedKey,
    VerifyingKey,
    opaque::{Opaque, OpaqueKind},
    verify_access, verify_grant, verify_ticket,
};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

#[test]
fn j01_alg_none_is_refused() {
    let forge = Forge::new();
    for alg in
        [json!("none"), json!("NONE"), json!("nOnE"), json!(""), json!(null), json!(["ES256"]), json!(0)]
    {
        let token = forge.with_header("alg", alg.clone());
        assert_eq!(forge.access(&token), Err(Rejected::AlgNotAllowed), "{alg}");
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(forge.access(&unsigned), Err(Rejected::AlgNotAllowed), "{alg}, without a signature");
    }
    assert_eq!(forge.access(&forge.without_header("alg")), Err(Rejected::AlgNotAllowed));
}

#[test]
fn j02_a_mac_made_with_the_public_key_is_refused() {
    let forge = Forge::new();
    let jwk = forge.key.verifying().to_jwk();
    for secret in [jwk.to_string(), jwk["x"].as_str().unwrap().to_owned(), forge.key.kid().to_owned()] {
        for alg in ["HS256", "HS384", "HS512", "RS256", "PS256", "EdDSA", "ES384"] {
            let token = forge.mac(alg, secret.as_bytes());
            assert_eq!(forge.access(&token), Err(Rejected::AlgKeyMismatch), "{alg}");
        }
    }
}

#[test]
fn j03_a_key_name_is_only_looked_up_among_the_pinned_keys_of_the_issuer() {
    let forge = Forge::new();
    let long = "k".repeat(1_000_000);
    for kid in ["../../dev/null", "' OR 1=1 --", "https://evil.example/jwks", "\0", "", "K"] {
        assert_eq!(forge.access(&forge.with_header("kid", json!(kid))), Err(Rejected::KidUnknown), "{kid:?}");
    }
    assert_eq!(forge.access(&forge.with_header("kid", json!(&long[..129]))), Err(Rejected::KidUnknown));
    assert_eq!(forge.access(&forge.with_header("kid", json!(long))), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&forge.without_header("kid")), Err(Rejected::KidUnknown));
    assert_eq!(forge.access(&forge.with_header("kid", json!(7))), Err(Rejected::KidUnknown));
}

#[test]
fn j03_two_issuers_may_use_one_key_name_and_never_share_the_key() {
    let (ours, theirs) = (Forge::new(), Forge::new());
    let mut keys = KeySet::new();
    keys.insert_as(forge::ISSUER, "1", ours.key.verifying().clone()).unwrap();
    keys.insert_as("https://other.example", "1", theirs.key.verifying().clone()).unwrap();
    let expect = Expect { issuer: forge::ISSUER, audience: ACCESS_AUDIENCE };
    let verdict = |forge: &Forge, keys: &KeySet| {
        verify_access(&forge.with_header("kid", json!("1")), keys, expect, NOW).map(drop)
    };
    assert_eq!(verdict(&ours, &keys), Ok(()));
    assert_eq!(verdict(&theirs, &keys), Err(Rejected::BadSignature));
    let taken = keys.insert_as(forge::ISSUER, "1", theirs.key.verifying().clone());
    assert!(taken.is_err(), "a taken name stays");
    assert_eq!(verdict(&ours, &keys), Ok(()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the listener shows that nobody connects")]
fn j04_a_header_that_brings_or_points_to_a_key_is_refused_and_nothing_is_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let attacker = Forge::new();
    let forge = Forge::new();
    for (member, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", attacker.key.verifying().to_jwk()),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
    ] {
        assert_eq!(forge.access(&forge.with_header(member, value.clone())), Err(Rejected::UnsupportedHeader));
        let forged = attacker.with_header(member, value);
        assert!(forge.access(&forged).is_err(), "signed by the attacker's own key");
    }
    assert!(listener.accept().is_err(), "somebody was asked for a key");
}

#[test]
fn j05_a_signature_that_is_not_one_is_refused() {
    let forge = Forge::new();
    let token = forge.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let good = forge::decode(signature);
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let n: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&order[2 * i..2 * i + 2], 16).unwrap()).collect();
    let mut hostile = vec![
        vec![],
        vec![0; 64],
        [n.clone(), n.clone()].concat(),
        [n.clone(), good[32..].to_vec()].concat(),
        [good[..32].to_vec(), n].concat(),
        good[..63].to_vec(),
        [good.clone(), vec![0]].concat(),
        vec![0xff; 64],
        vec![0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00],
    ];
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        hostile.push(flipped);
    }
    for signature in hostile {
        let token = format!("{signed}.{}", forge::encode(&signature));
        assert_eq!(forge.access(&token), Err(Rejected::BadSignature), "{signature:?}");
    }
    for spelling in
        [format!("{signature}="), format!("{signature}AA"), format!(" {signature}"), "!".to_owned()]
    {
        assert_eq!(
            forge.access(&format!("{signed}.{spelling}")),
            Err(Rejected::BadSignature),
            "{spelling:?}"
        );
    }
    assert_eq!(forge.access(&token), Ok(()));
}

#[test]
fn j05_an_ed25519_signature_with_a_large_scalar_is_refused() {
    let forge = Forge::grant();
    let token = forge.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut malleated = forge::decode(signature);
    // s + L verifies in sloppy implementations: L is the group order, little-endian.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(
        forge.grant_verdict(&format!("{signed}.{}", forge::encode(&malleated))),
        Err(Rejected::BadSignature)
    );
    assert_eq!(forge.grant_verdict(&token), Ok(()));
}

#[test]
fn j06_only_exactly_our_audience_is_accepted() {
    let forge = Forge::new();
    assert_eq!(forge.access(&forge.without_claim("aud")), Err(Rejected::AudInvalid));
    for aud in [
        json!(["postern"]),
        json!(["postern", "other"]),
        json!("other"),
        json!("Postern"),
        json!("postern "),
        json!(""),
        json!(1),
        json!(null),
        json!({"0": "postern"}),
    ] {
        assert_eq!(forge.access(&forge.with_claim("aud", aud.clone())), Err(Rejected::AudInvalid), "{aud}");
    }
}

#[test]
fn j07_only_exactly_our_issuer_is_accepted() {
    let forge = Forge::new();
    assert_eq!(forge.access(&forge.without_claim("iss")), Err(Rejected::IssInvalid));
    for iss in [
        json!("https://gw.example/"),
        json!("https://GW.example"),
        json!("https://gw.exаmple"),
        json!("http://gw.example"),
        json!(["https://gw.example"]),
        json!("https://other.example"),
        json!(null),
        json!(true),
    ] {
        assert_eq!(forge.access(&forge.with_claim("iss", iss.clone())), Err(Rejected::IssInvalid), "{iss}");
    }
}

#[test]
fn j08_times_are_whole_seconds_and_are_enforced_with_a_bounded_skew() {
    let forge = Forge::new();
    let now = NOW.as_secs();
    for (claim, value, verdict) in [
        ("exp", json!(now - 31), Err(Rejected::Expired)),
        ("exp", json!(now - 30), Err(Rejected::Expired)),
        ("exp", json!(now - 29), Ok(())),
        ("nbf", json!(now + 30), Ok(())),
        ("nbf", json!(now + 31), Err(Rejected::NotYetValid)),
        ("iat", json!(now + 30), Ok(())),
        ("iat", json!(now + 31), Err(Rejected::NotYetValid)),
    ] {
        assert_eq!(forge.access(&forge.with_claim(claim, value.clone())), verdict, "{claim} {value}");
    }
    for claim in ["exp", "nbf", "iat", "auth_time"] {
        assert_eq!(
            forge.access(&forge.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim} is missing"
        );
        for value in [
            json!(now.to_string()),
            json!(1.5),
            json!(1e300),
            json!(-1),
            json!(null),
            json!([now]),
            json!(u64::MAX),
            json!(253_402_300_800_i64),
        ] {
            assert_eq!(
                forge.access(&forge.with_claim(claim, value.clone())),
                Err(Rejected::ClaimFormat),
                "{claim} {value}"
            );
        }
    }
}

#[test]
fn j08_a_life_longer_than_its_kind_allows_is_refused() {
    let forge = Forge::new();
    let now = NOW.as_secs();
    assert_eq!(forge.access(&forge.with_claim("exp", json!(now + 24 * 3600))), Err(Rejected::ClaimFormat));
    let forge = forge.claim("iat", json!(now - 100)).claim("exp", json!(now - 100));
    assert_eq!(forge.access(&forge.token()), Err(Rejected::ClaimFormat), "no time at all");
}

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
fn j06_a_grant_held_by_another_connector_and_a_ticket_of_another_installation_are_refused() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    let other = forge::connector(9).to_string();
    assert_eq!(grant.held_verdict(&grant.with_claim("aud", json!(other))), Err(Rejected::AudInvalid));
    assert_eq!(grant.held_verdict(&grant.without_claim("aud")), Err(Rejected::AudInvalid));
    let elsewhere = json!("https://other.example");
    assert_eq!(
        ticket.ticket_verdict(&ticket.with_claim("aud", elsewhere.clone())),
        Err(Rejected::AudInvalid)
    );
    assert_eq!(
        ticket.ticket_verdict(&ticket.with_claim("iss", elsewhere.clone())),
        Err(Rejected::IssInvalid)
    );
    assert_eq!(grant.held_verdict(&grant.with_claim("iss", elsewhere)), Err(Rejected::IssInvalid));
}

#[test]
fn j08_a_held_grant_may_be_old_but_not_from_the_future_and_a_ticket_ends() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    let now = NOW.as_secs();
    let old = Forge::grant().claim("iat", json!(now - 9_000_000)).claim("nbf", json!(now - 9_000_000));
    let old = old.claim("exp", json!(now - 9_000_000 + 60));
    assert_eq!(old.held_verdict(&old.token()), Ok(()));
    assert_eq!(old.grant_verdict(&old.token()), Err(Rejected::Expired));
    for claim in ["iat", "nbf"] {
        let future = grant.with_claim(claim, json!(now + 31));
        assert_eq!(grant.held_verdict(&future), Err(Rejected::NotYetValid), "{claim}");
    }
    assert_eq!(ticket.ticket_verdict(&ticket.with_claim("exp", json!(now - 30))), Err(Rejected::ClaimFormat));
    let spent = Forge::ticket().claim("iat", json!(now - 100)).claim("exp", json!(now - 30));
    assert_eq!(spent.ticket_verdict(&spent.token()), Err(Rejected::Expired));
    let week = 7 * 24 * 3600;
    assert_eq!(ticket.ticket_verdict(&ticket.with_claim("exp", json!(now + week))), Ok(()));
    let longer = ticket.with_claim("exp", json!(now + week + 1));
    assert_eq!(ticket.ticket_verdict(&longer), Err(Rejected::ClaimFormat));
}

#[test]
fn t06_a_ticket_or_held_grant_that_does_not_say_whose_session_it_is_is_refused() {
    let (grant, ticket) = (Forge::grant(), Forge::ticket());
    for claim in ["session", "stream", "principal", "ses", "resource", "cnf"] {
        assert_eq!(
            ticket.ticket_verdict(&ticket.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim}"
        );
        assert_eq!(grant.held_verdict(&grant.without_claim(claim)), Err(Rejected::ClaimFormat), "{claim}");
    }
    for claim in ["connector", "instance"] {
        assert_eq!(
            ticket.ticket_verdict(&ticket.without_claim(claim)),
            Err(Rejected::ClaimFormat),
            "{claim}"
        );
    }
    let good = serde_json::to_value(forge::session_claims()).unwrap();
    for (member, value) in [
        ("generation", json!(-1)),
        ("generation", json!(4_294_967_296_u64)),
        ("action", json!("http")),
        ("action", json!("admin")),
        ("source", json!("nowhere")),
        ("credential", json!("none")),
        ("credential", json!({"token": {}, "sign_in": {}})),
        ("started_at", json!("2026-01-01T00:00:00Z")),
    ] {
        let mut ses = good.clone();
        ses[member] = value.clone();
        let verdict = ticket.ticket_verdict(&ticket.with_claim("ses", ses.clone()));
        assert_eq!(verdict, Err(Rejected::ClaimFormat), "{member} {value}");
        assert_eq!(grant.held_verdict(&grant.with_claim("ses", ses.clone())), Err(Rejected::ClaimFormat));
        // A connector that cannot read the facts does not take the grant for one without them.
        assert_eq!(grant.grant_verdict(&grant.with_claim("ses", ses)), Err(Rejected::ClaimFormat));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures how long a refusal takes")]
fn j10_critical_extensions_duplicate_keys_and_encrypted_tokens_are_refused_quickly() {
    let forge = Forge::new();
    let began = Instant::now();
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("p2c", json!(1_000_000_000)),
        ("enc", json!("A256GCM")),
        ("anything", json!(1)),
    ] {
        assert_eq!(
            forge.access(&forge.with_header(member, value)),
            Err(Rejected::UnsupportedHeader),
            "{member}"
        );
    }
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","typ":"at+jwt","kid":"{}"}}"#, forge.key.kid());
    assert_eq!(forge.access(&forge.signed(&header, &forge.payload())), Err(Rejected::UnsupportedHeader));
    let payload = forge.payload();
    let twice = format!(r#"{{"sub":"usr_00000000000000000000000000",{}"#, &payload[1..]);
    assert_eq!(forge.access(&forge.signed(&forge.header(), &twice)), Err(Rejected::ClaimFormat));
    assert_eq!(
        forge.access("eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1cifQ.a.b.c.d"),
        Err(Rejected::UnsupportedHeader)
    );
    assert!(began.elapsed() < Duration::from_secs(1), "refusing is cheap");
}

#[test]
fn j11_an_oversized_or_shapeless_token_is_refused_before_any_work() {
    let forge = Forge::new();
    let fits = "a".repeat(TOKEN_MAX_BYTES);
    assert_eq!(forge.access(&fits), Err(Rejected::Malformed));
    assert_eq!(forge.access(&format!("{fits}a")), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&"a".repeat(1_000_000)), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&".".repeat(100_000)), Err(Rejected::TooLarge));
    assert_eq!(forge.access(&".".repeat(8_000)), Err(Rejected::Malformed));
    for text in ["", ".", "..", "a.b.c", "a.b", "é.é.é", "\0.\0.\0"] {
        assert!(forge.access(text).is_err(), "{text:?}");
    }
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(forge.access(&forge.signed(&forge.header(), &nested)), Err(Rejected::ClaimFormat));
}

#[test]
fn j14_an_opaque_token_is_whole_or_nothing() {
    let token = Opaque::from_entropy(OpaqueKind::ServiceAccount, [0x5a; 32]);
    let text = token.reveal();
    for cut in 0..text.len() {
        assert!(Opaque::parse(&text[..cut]).is_none(), "{cut} characters");
    }
    for extended in [
        format!("{text}A"),
        format!("{text}\n"),
        format!(" {text}"),
        format!("{text}\0"),
        text.to_uppercase(),
    ] {
        assert!(Opaque::parse(&extended).is_none(), "{extended:?}");
    }
    for at in 0..text.len() {
        let mut other = text.to_owned().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        let read = Opaque::parse(&other).map(|token| token.hash());
        assert_ne!(read, Some(token.hash()), "position {at}");
    }
    assert_eq!(Opaque::parse(text).map(|again| again.hash()), Some(token.hash()));
}

#[test]
fn j15_a_token_signed_by_any_other_key_is_refused() {
    let forge = Forge::new();
    let stranger = Forge::new();
    assert_eq!(forge.access(&stranger.token()), Err(Rejected::KidUnknown));
    assert_eq!(
        forge.access(&stranger.with_header("kid", json!(forge.key.kid()))),
        Err(Rejected::BadSignature)
    );
    let nobody = KeySet::new();
    let expect = Expect { issuer: forge::ISSUER, audience: ACCESS_AUDIENCE };
    assert_eq!(verify_access(&forge.token(), &nobody, expect, NOW).err(), Some(Rejected::KidUnknown));
}

#[test]
fn j15_a_key_that_everybody_can_sign_for_cannot_be_registered() {
    for raw in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        assert!(VerifyingKey::from_ed25519(raw).is_err());
    }
    let weak = json!({"kty":"oct","k":"c2VjcmV0"});
    assert!(VerifyingKey::from_jwk(&weak).is_err(), "no shared secrets");
    assert!(VerifyingKey::from_jwk(&json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})).is_err());
}

#[test]
fn what_an_independent_library_signs_is_accepted_and_the_other_way_round() {
    let forge = Forge::new();
    let header: jsonwebtoken::Header = serde_json::from_str(&forge.header()).unwrap();
    let claims: Value = serde_json::from_str(&forge.payload()).unwrap();
    let theirs =
        jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_ec_der(forge.key.pkcs8()))
            .unwrap();
    assert_eq!(forge.access(&theirs), Ok(()));

    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(forge.key.verifying().to_jwk()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    validation.set_audience(&[ACCESS_AUDIENCE]);
    validation.set_issuer(&[forge::ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    assert_eq!(jsonwebtoken::decode::<Value>(&forge.token(), &key, &validation).unwrap().claims, claims);
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
