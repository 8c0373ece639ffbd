//! What a header can ask for: another algorithm, another key, an extension.

use crate::forge::{self, Forge, NOW, public_bytes};
use postern_token::{ACCESS_AUDIENCE, Expect, KeySet, Rejected, verify_access};
use serde_json::json;
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
    for forge in [Forge::new(), Forge::grant()] {
        let jwk = forge.key.verifying().to_jwk();
        let point = public_bytes(&jwk);
        let spki = forge::spki(&jwk);
        let pem = forge::pem(&spki);
        let (text, jwks) = (jwk.to_string(), json!({"keys": [jwk]}).to_string());
        let secrets: [&[u8]; 9] = [
            pem.as_bytes(),
            pem.trim_end().as_bytes(),
            &spki,
            &point,
            text.as_bytes(),
            jwks.as_bytes(),
            jwk["x"].as_str().unwrap().as_bytes(),
            forge.key.kid().as_bytes(),
            b"",
        ];
        for secret in secrets {
            for alg in ["HS256", "HS384", "HS512", "hs256", "RS256", "PS256", "ES384", "ES256K", "Ed25519"] {
                let token = forge.mac(alg, secret);
                assert_eq!(forge.verdict(&token), Err(Rejected::AlgKeyMismatch), "{alg}");
            }
            // With the key's own algorithm in the header, a MAC is no signature.
            let token = forge.mac(forge.key.alg().name(), secret);
            assert_eq!(forge.verdict(&token), Err(Rejected::BadSignature));
        }
    }
}

#[test]
fn j02_the_algorithm_is_the_one_of_the_key_and_a_right_signature_does_not_change_that() {
    let (access, grant) = (Forge::new(), Forge::grant());
    assert_eq!(access.access(&access.with_header("alg", json!("EdDSA"))), Err(Rejected::AlgKeyMismatch));
    assert_eq!(grant.grant_verdict(&grant.with_header("alg", json!("ES256"))), Err(Rejected::AlgKeyMismatch));
}

#[test]
fn j03_a_key_name_is_only_looked_up_among_the_pinned_keys_of_the_issuer() {
    let forge = Forge::new();
    let long = "k".repeat(1_000_000);
    for kid in [
        "../../dev/null",
        "file:///dev/null",
        "' OR 1=1 --",
        "x'; DROP TABLE signing_keys; --",
        "https://evil.example/jwks",
        "\0",
        &format!("{}\0", forge.key.kid()),
        &format!("\0{}", forge.key.kid()),
        &format!("{} ", forge.key.kid()),
        &forge.key.kid()[..42],
        "",
        "K",
    ] {
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
        ("x5c", json!([attacker.key.verifying().to_jwk()["x"]])),
        ("x5t#S256", json!("abc")),
        ("x5t", json!("abc")),
    ] {
        assert_eq!(forge.access(&forge.with_header(member, value.clone())), Err(Rejected::UnsupportedHeader));
        let forged = attacker.with_header(member, value);
        assert_eq!(
            forge.access(&forged),
            Err(Rejected::UnsupportedHeader),
            "signed by the attacker's own key"
        );
    }
    assert!(listener.accept().is_err(), "somebody was asked for a key");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures how long a refusal takes")]
fn j10_critical_extensions_duplicate_keys_and_encrypted_tokens_are_refused_within_a_millisecond() {
    let forge = Forge::new();
    let mut hostile: Vec<(String, Rejected)> = Vec::new();
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64", "unheard-of"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("p2c", json!(1_000_000_000)),
        ("p2s", json!("c2FsdA")),
        ("enc", json!("A256GCM")),
        ("epk", forge.key.verifying().to_jwk()),
        ("anything", json!(1)),
    ] {
        hostile.push((forge.with_header(member, value), Rejected::UnsupportedHeader));
    }
    let kid = forge.key.kid();
    for header in [
        format!(r#"{{"alg":"ES256","typ":"at+jwt","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}","\u006bid":"{kid}"}}"#),
    ] {
        hostile.push((forge.signed(&header, &forge.payload()), Rejected::UnsupportedHeader));
    }
    let payload = forge.payload();
    for twice in [
        format!(r#"{{"sub":"usr_00000000000000000000000000",{}"#, &payload[1..]),
        format!(r#"{{"\u0061ud":"other",{}"#, &payload[1..]),
    ] {
        hostile.push((forge.signed(&forge.header(), &twice), Rejected::ClaimFormat));
    }
    // A token whose claims are a token, as text and as a JSON text.
    let inner = forge.token();
    hostile.push((forge.signed(&forge.header(), &inner), Rejected::ClaimFormat));
    hostile.push((forge.signed(&forge.header(), &json!(inner).to_string()), Rejected::ClaimFormat));
    for jwe in [
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1_000_000_000, "p2s": "c2FsdA"}),
        json!({"alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "dir", "enc": "A256GCM"}),
    ] {
        let header = forge::encode(jwe.to_string().as_bytes());
        hostile.push((
            format!("{header}.{}.aXY.{}.dGFn", "A".repeat(40), "B".repeat(4_000)),
            Rejected::UnsupportedHeader,
        ));
        // The same header on three parts.
        hostile.push((forge.signed(&jwe.to_string(), &payload), Rejected::UnsupportedHeader));
    }
    for (token, verdict) in hostile {
        // The quickest of several runs is the work itself; what a busy machine adds is in the others.
        let took = (0..20).map(|_| {
            let began = Instant::now();
            assert_eq!(forge.access(&token), Err(verdict), "{token}");
            began.elapsed()
        });
        assert!(took.min().unwrap() < Duration::from_millis(1), "{token}");
    }
}
